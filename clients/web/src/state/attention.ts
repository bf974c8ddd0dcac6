/** What follows from somebody looking at the page or not, and from the network coming and going. */

import { computed, effect, signal } from "@preact/signals";
import { after } from "../browser";
import type { ChosenPresence } from "@chatx/sdk";
import { loadRooms, status } from "./chat";
import { online, visible } from "./page";
import { chosenPresence } from "./preferences";
import { chat } from "./session";
import { inBackground } from "./toasts";

/** Away after the page was hidden this long. */
const awayAfterMs = 5 * 60_000;
const away = signal(false);

effect(() => {
  if (!visible.value) return after(awayAfterMs, () => (away.value = true));
  away.value = false;
  return undefined;
});

const presence = computed<ChosenPresence>(() =>
  away.value && chosenPresence.value === "online" ? "away" : chosenPresence.value,
);

// A new socket knows nothing of what was said on the one before.
effect(() => {
  if (status.value.kind === "live") chat.live?.setPresence(presence.value);
});

// A device that slept, or changed its network, may hold a socket that is long dead.
effect(() => {
  if (online.value && visible.value) chat.live?.connection.probe();
});

/** That somebody else began a conversation with us is told once, and may be lost: who comes back to the page asks. */
const lookAgainMs = 30_000;
let hidden = !visible.peek();
effect(() => {
  if (visible.value && hidden && status.peek().kind === "live") void inBackground(loadRooms);
  hidden = !visible.value;
});
effect(() => {
  if (!visible.value || status.value.kind !== "live") return undefined;
  const timer = setInterval(() => void inBackground(loadRooms), lookAgainMs);
  return () => clearInterval(timer);
});
