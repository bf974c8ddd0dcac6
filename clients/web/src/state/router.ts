/** Which page the address names. The part after `#` is the route, so that the server needs to know none of them. */

import { signal } from "@preact/signals";
import type { Id, Seq } from "@chatx/sdk";

/** What is looked for among messages, and where. Days are `2026-11-22`, here. */
export interface Ask {
  query: string;
  room?: Id | undefined;
  sender?: Id | undefined;
  since?: string | undefined;
  until?: string | undefined;
  has?: "file" | "link" | undefined;
}

export type Route =
  | { page: "rooms" }
  | { page: "log-in" }
  | { page: "register" }
  | { page: "forgot" }
  /** The links of mails: to set a new password, and to show that an address is one's own. */
  | { page: "reset" | "verify"; token: string }
  | { page: "discover" }
  | { page: "search"; ask: Ask }
  /** `seq`: the message that a link names. */
  | { page: "room"; room: Id; seq: Seq | undefined }
  | { page: "invite"; code: string; room: Id }
  | { page: "manage"; room: Id; section: ManageSection }
  | { page: "settings"; section: SettingsSection }
  | { page: "admin"; section: AdminSection };

export const settingsSections = ["profile", "appearance", "notifications", "privacy", "security", "sessions", "bots", "webhooks", "data"] as const;
export type SettingsSection = (typeof settingsSections)[number];

/** For server admins. */
export const adminSections = ["users", "rooms", "reports", "storage", "nodes", "audit"] as const;
export type AdminSection = (typeof adminSections)[number];

/** For those who care for a room. */
export const manageSections = ["reports", "hooks", "webhooks"] as const;
export type ManageSection = (typeof manageSections)[number];

export const route = signal<Route>(parse(location.hash));

window.addEventListener("hashchange", () => {
  route.value = parse(location.hash);
});

export const paths = {
  rooms: "#/",
  logIn: "#/login",
  register: "#/register",
  forgot: "#/forgot",
  discover: "#/discover",
  search: ({ query, ...more }: Ask) => {
    const fields = Object.entries({ q: query, ...more }).filter(([, value]) => value !== undefined && value !== "");
    return `#/search?${fields.map(([name, value]) => `${name}=${encodeURIComponent(value ?? "")}`).join("&")}`;
  },
  room: (room: Id) => `#/room/${room}`,
  message: (room: Id, seq: Seq) => `#/room/${room}/${seq}`,
  invite: (room: Id, code: string) => `#/invite/${encodeURIComponent(code)}?room=${room}`,
  manage: (room: Id, section: ManageSection) => `#/manage/${room}/${section}`,
  settings: (section: SettingsSection) => `#/settings/${section}`,
  admin: (section: AdminSection) => `#/admin/${section}`,
};

export function go(path: string, replace = false): void {
  if (replace) {
    history.replaceState(null, "", path);
    route.value = parse(path);
  } else location.hash = path;
}

export function parse(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?");
  const [page, name, third] = path.split("/");
  const asked = new URLSearchParams(query);
  if (page === "login") return { page: "log-in" };
  if (page === "register") return { page: "register" };
  if (page === "forgot") return { page };
  if ((page === "reset" || page === "verify") && name) return { page, token: decodeURIComponent(name) };
  if (page === "discover") return { page: "discover" };
  const room = asked.get("room");
  if (page === "search") return { page, ask: askOf(asked) };
  if (page === "room" && name) return { page: "room", room: name, seq: Number(third) > 0 ? Number(third) : undefined };
  if (page === "invite" && name && room) return { page: "invite", code: decodeURIComponent(name), room };
  if (page === "manage" && name) return { page, room: name, section: oneOf(manageSections, third) };
  if (page === "settings") return { page, section: oneOf(settingsSections, name) };
  if (page === "admin") return { page, section: oneOf(adminSections, name) };
  return { page: "rooms" };
}

function askOf(fields: URLSearchParams): Ask {
  const field = (name: string) => fields.get(name) || undefined;
  const has = field("has");
  return {
    query: field("q") ?? "",
    room: field("room"),
    sender: field("sender"),
    since: field("since"),
    until: field("until"),
    has: has === "file" || has === "link" ? has : undefined,
  };
}

/** The section that is named, or the first one. */
function oneOf<Name extends string>(names: readonly [Name, ...Name[]], name: string | undefined): Name {
  return names.find((other) => other === name) ?? names[0];
}

/** Reads what people paste: the whole link of an invite, or the part after `#`. */
export function parseInvite(text: string): { code: string; room: Id } | undefined {
  const hash = text.trim().slice(Math.max(0, text.trim().indexOf("#")));
  const parsed = parse(hash);
  return parsed.page === "invite" ? { code: parsed.code, room: parsed.room } : undefined;
}
