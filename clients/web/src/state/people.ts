/** What is known of people beside what came with their messages: what they are called now, and what they are up to. */

import { effect, signal } from "@preact/signals";
import type { Id, User, UserRef } from "@chatx/sdk";
import { api, chat, me } from "./session";
import { inBackground } from "./toasts";

interface Known {
  user: UserRef;
  status: string;
}

const known = signal<ReadonlyMap<Id, Known>>(new Map());
/** Each is asked for once. */
const asked = new Set<Id>();

chat.on("userChanged", ({ user, status }) => keep(user, status));

// The next person on this device may know other people.
effect(() => {
  if (me.value !== undefined) return;
  known.value = new Map();
  asked.clear();
});

/** The person as they are called now; what came with a message may be older. */
export function asNow(user: UserRef): UserRef {
  return known.value.get(user.id)?.user ?? user;
}

/** What somebody is up to; `told` is what was said of it when their name came. */
export function statusOf(id: Id, told?: string): string {
  return known.value.get(id)?.status ?? told ?? "";
}

/** The same, of somebody of whom nothing was told yet. */
export function statusAsked(id: Id): string {
  ask(id);
  return statusOf(id);
}

/** The name of somebody who is known by their id only; until it is there, or if it never is, the beginning of that. */
export function knownName(id: Id): string {
  ask(id);
  const user = known.value.get(id)?.user;
  return user === undefined ? id.slice(0, 8) : `@${user.username}`;
}

/** Somebody, with all that they say about themselves. */
export async function profileOf(id: Id): Promise<User> {
  const user = await api.user(id);
  keep(user, user.status ?? "");
  return user;
}

/** Whoever has exactly this username. */
export async function userNamed(username: string): Promise<User | undefined> {
  const wanted = username.replace(/^@/, "").toLowerCase();
  return (await api.findUsers(wanted)).find((user) => user.username === wanted);
}

function ask(id: Id): void {
  if (asked.has(id)) return;
  asked.add(id);
  void inBackground(() => profileOf(id));
}

function keep({ id, username, display_name }: UserRef, status: string): void {
  asked.add(id);
  known.value = new Map(known.value).set(id, { user: { id, username, display_name }, status });
}
