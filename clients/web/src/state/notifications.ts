/** Tells of a new message by the browser's own notices, when nobody looks and the person wants it. */

import { effect, signal } from "@preact/signals";
import { remembered } from "../browser";
import { strings } from "../strings";
import { arrived } from "./chat";
import { gist } from "./files";
import { nameOf, roomTitle } from "./names";
import { visible } from "./page";
import { chosenPresence } from "./preferences";
import { go, paths } from "./router";
import { me } from "./session";
import { mentions } from "./timeline";

export type Wanted = "off" | "personal" | "all";

const key = "chatx.notify";
const longest = 200;

export const wanted = signal<Wanted>(stored());

/** Whether this browser can, or may be asked to. */
export const possible = "Notification" in window && Notification.permission !== "denied";

/** Remembers the choice; the browser asks its user the first time. */
export async function want(next: Wanted): Promise<boolean> {
  if (next !== "off" && (await Notification.requestPermission()) !== "granted") return false;
  remembered.set(key, next);
  wanted.value = next;
  return true;
}

effect(() => {
  const news = arrived.value;
  if (news === undefined || visible.peek() || wanted.peek() === "off" || chosenPresence.peek() === "dnd") return;
  const { room, message } = news;
  const direct = room.info.peek().visibility === "direct";
  if (wanted.peek() === "personal" && !direct && !mentions(message, me.peek()?.id)) return;
  const title = direct ? nameOf(message.user) : strings.notifications.title(nameOf(message.user), roomTitle(room));
  // One notice for each room: the newest takes the place of the one before.
  const notice = new Notification(title, { body: (message.body || gist(message)).slice(0, longest), tag: room.id, icon: "/favicon.svg" });
  notice.onclick = () => {
    window.focus();
    go(paths.room(room.id));
    notice.close();
  };
});

function stored(): Wanted {
  const choice = remembered.get(key);
  const allowed = "Notification" in window && Notification.permission === "granted";
  return allowed && (choice === "personal" || choice === "all") ? choice : "off";
}
