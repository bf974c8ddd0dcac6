/** The rooms as this device last knew them, so that a page which opens without a network is not empty. */

import type { Id, MyRoom } from "@chatx/sdk";
import { remembered } from "../browser";

const key = "chatx.rooms";
const mostKept = 100;

export function keep(user: Id | undefined, rooms: readonly MyRoom[]): void {
  remembered.set(key, JSON.stringify({ user, rooms: rooms.slice(0, mostKept) }));
}

/** What was kept for somebody; another person's is not shown. */
export function recall(user: Id | undefined): readonly MyRoom[] | undefined {
  try {
    const kept = JSON.parse(remembered.get(key) ?? "null") as { user?: Id; rooms?: MyRoom[] } | null;
    return kept?.user === user && Array.isArray(kept?.rooms) ? kept.rooms : undefined;
  } catch {
    return undefined;
  }
}

/** Whoever logs out leaves nothing behind. */
export function forget(): void {
  remembered.remove(key);
}
