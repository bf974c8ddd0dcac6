/** Which page the address names. The part after `#` is the route, so that the server needs to know none of them. */

import { signal } from "@preact/signals";
import type { Id } from "../protocol";

export type Route =
  | { page: "rooms" }
  | { page: "log-in" }
  | { page: "register" }
  | { page: "discover" }
  | { page: "room"; room: Id }
  | { page: "invite"; code: string; room: Id };

export const route = signal<Route>(parse(location.hash));

window.addEventListener("hashchange", () => {
  route.value = parse(location.hash);
});

export const paths = {
  rooms: "#/",
  logIn: "#/login",
  register: "#/register",
  discover: "#/discover",
  room: (room: Id) => `#/room/${room}`,
  invite: (room: Id, code: string) => `#/invite/${encodeURIComponent(code)}?room=${room}`,
};

export function go(path: string, replace = false): void {
  if (replace) {
    history.replaceState(null, "", path);
    route.value = parse(path);
  } else location.hash = path;
}

export function parse(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?");
  const [page, name] = path.split("/");
  if (page === "login") return { page: "log-in" };
  if (page === "register") return { page: "register" };
  if (page === "discover") return { page: "discover" };
  if (page === "room" && name) return { page: "room", room: name };
  const room = new URLSearchParams(query).get("room");
  if (page === "invite" && name && room) return { page: "invite", code: decodeURIComponent(name), room };
  return { page: "rooms" };
}

/** Reads what people paste: the whole link of an invite, or the part after `#`. */
export function parseInvite(text: string): { code: string; room: Id } | undefined {
  const hash = text.trim().slice(Math.max(0, text.trim().indexOf("#")));
  const parsed = parse(hash);
  return parsed.page === "invite" ? { code: parsed.code, room: parsed.room } : undefined;
}
