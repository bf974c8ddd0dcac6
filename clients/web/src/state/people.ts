/** The names of people that the page knows by their ids only. */

import { signal } from "@preact/signals";
import type { Id, User } from "@chatx/sdk";
import { api } from "./session";
import { inBackground } from "./toasts";

/** Asked for once each; who is not known yet, or no more, is shown by the beginning of their id. */
const names = signal<ReadonlyMap<Id, string>>(new Map());
const asked = new Set<Id>();

export function knownName(id: Id): string {
  if (!asked.has(id)) {
    asked.add(id);
    void inBackground(async () => learn(await api.user(id)));
  }
  return names.value.get(id) ?? id.slice(0, 8);
}

/** Whoever has exactly this username. */
export async function userNamed(username: string): Promise<User | undefined> {
  const wanted = username.replace(/^@/, "").toLowerCase();
  return (await api.findUsers(wanted)).find((user) => user.username === wanted);
}

function learn(user: User): void {
  names.value = new Map(names.value).set(user.id, `@${user.username}`);
}
