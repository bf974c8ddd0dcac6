/** Looking for messages: by words, or in one room by who, when and what. */

import type { Id, SearchHit, Seq } from "@chatx/sdk";
import { rooms } from "./chat";
import { gist } from "./files";
import type { Ask } from "./router";
import { api } from "./session";

export interface Found {
  ask: Ask;
  hits: readonly SearchHit[];
  /** Where the next page begins. */
  next: { cursor: string } | { before: Seq } | undefined;
}

const pageSize = 30;

/** Without words only a room that is named can be gone through, and only for something. */
export function isAsked({ query, room, sender, since, until, has }: Ask): boolean {
  return query !== "" || (room !== undefined && [sender, since, until, has].some((one) => one !== undefined));
}

/** The first page, or the one after `before`. */
export async function look(ask: Ask, before?: Found): Promise<Found> {
  const found = ask.query === "" && ask.room !== undefined ? await gone(ask, ask.room, before) : await searched(ask, before);
  return { ...found, ask, hits: [...(before?.hits ?? []), ...found.hits] };
}

async function searched(ask: Ask, before: Found | undefined): Promise<Omit<Found, "ask">> {
  const page = await api.search({ ...filters(ask), q: ask.query, room: ask.room, limit: pageSize, ...before?.next });
  return { hits: page.hits, next: page.next_cursor == null ? undefined : { cursor: page.next_cursor } };
}

async function gone(ask: Ask, room: Id, before: Found | undefined): Promise<Omit<Found, "ask">> {
  const page = await api.messages(room, { ...filters(ask), limit: pageSize, ...before?.next });
  const name = rooms.peek().get(room)?.info.peek().name ?? "";
  const told = page.messages.filter((message) => message.deleted_at == null).reverse();
  const first = page.messages[0];
  return {
    hits: told.map((message) => ({ message, room: { id: room, name }, snippet: gist(message) })),
    next: page.has_more && first !== undefined ? { before: first.seq } : undefined,
  };
}

function filters({ sender, since, until, has }: Ask) {
  return { sender, since: since === undefined ? undefined : dayBegins(since), until: until === undefined ? undefined : dayBegins(until, 1), has };
}

/** When a day begins here, or one so many days after it: the last day that is asked for counts whole. */
function dayBegins(day: string, later = 0): string | undefined {
  const [year = 0, month = 1, date = 1] = day.split("-").map(Number);
  const begins = new Date(year, month - 1, date + later);
  return Number.isNaN(begins.getTime()) ? undefined : begins.toISOString();
}
