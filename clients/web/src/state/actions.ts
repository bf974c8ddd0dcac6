/** What people do in their rooms. Each asks the server and lets the answer, or the event that follows, change the page. */

import type { Id, NewRoom, RoomChanges, Seq } from "@chatx/sdk";
import { dropRoom, loadRooms, rooms } from "./chat";
import type { RoomState } from "./room";
import { go, paths } from "./router";
import { api, chat } from "./session";
import type { MessageItem } from "./timeline";

const pageSize = 60;
/** Notices between messages are read with them, unless more than this was said and done there. */
const mostEvents = 200;

/** How often somebody wanted to see a message: only the last one is shown. */
let sought = 0;

/** Loads what comes before, once at a time. */
export async function loadOlder(room: RoomState): Promise<void> {
  const before = room.olderThan;
  if (before === undefined) return;
  await load(room, async () => {
    const page = await api.messages(room.id, { before, limit: pageSize });
    const from = page.has_more ? (page.messages[0]?.seq ?? before) : Math.max(1, before - mostEvents);
    const limit = before - from;
    const few = limit > 0 && limit <= mostEvents;
    const notices = few ? (await api.events(room.id, { after: from - 1, limit })).events : [];
    room.prepend(before, page, notices);
  });
}

/** Loads what comes after, while what is shown does not reach the end. */
export async function loadNewer(room: RoomState): Promise<void> {
  if (room.attached.value) return;
  await load(room, async () => room.append(await api.messages(room.id, { after: room.newerThan, limit: pageSize })));
}

/** Shows a message, and what is around it when it is not loaded; what is no message, the next line after it. */
export async function seek(room: RoomState, seq: Seq): Promise<void> {
  const mine = ++sought;
  // Whoever scrolls may have something loaded at the very moment that nothing is.
  do await idle(room);
  while (mine === sought && !room.holds(seq) && !(await load(room, async () => room.moveTo(await api.messages(room.id, { around: seq, limit: pageSize })))));
  if (mine !== sought) return;
  const { items } = room;
  room.sought.value = (items.value.find((item) => item.seq >= seq) ?? items.value.at(-1))?.seq;
}

/** Resolves once nothing is being loaded. */
function idle(room: RoomState): Promise<void> {
  return new Promise((resolve) => {
    const stop = room.loading.subscribe((loading) => {
      if (loading === "busy") return;
      resolve();
      queueMicrotask(() => stop());
    });
  });
}

/** Whether it was tried: not while something else is loaded. */
async function load(room: RoomState, action: () => Promise<void>): Promise<boolean> {
  if (room.loading.value === "busy") return false;
  room.loading.value = "busy";
  try {
    await action();
    room.loading.value = "idle";
  } catch {
    room.loading.value = "failed";
  }
  return true;
}

export async function createRoom(fields: NewRoom): Promise<void> {
  const room = await api.createRoom(fields);
  await loadRooms();
  go(paths.room(room.id));
}

/** Opens the conversation with these people. */
export async function talkTo(people: readonly Id[]): Promise<void> {
  const room = await api.direct(people);
  await loadRooms();
  go(paths.room(room.id));
}

/** Joins and opens a room. A refusal, such as a wrong password, changes nothing here. */
export async function joinRoom(room: Id, by: { password?: string; invite?: string }, replace = false): Promise<void> {
  if (!rooms.value.has(room)) {
    await api.join(room, by);
    await loadRooms();
  }
  go(paths.room(room), replace);
}

export async function leaveRoom(room: Id): Promise<void> {
  await api.leave(room);
  dropRoom(room);
  chat.unfollow(room);
}

export async function deleteRoom(room: Id): Promise<void> {
  await api.deleteRoom(room);
  dropRoom(room);
}

export async function updateRoom(room: RoomState, changes: RoomChanges): Promise<void> {
  room.learn(await api.updateRoom(room.id, changes));
}

/** Gives a sign, or takes it back if it was given. */
export async function toggleReaction(room: RoomState, item: MessageItem, emoji: string): Promise<void> {
  const mine = item.reactions.some((reaction) => reaction.emoji === emoji && reaction.me);
  await (mine ? api.unreact(room.id, item.seq, emoji) : api.react(room.id, item.seq, emoji));
}

export async function togglePin(room: RoomState, item: MessageItem): Promise<void> {
  await (item.pinned ? api.unpin(room.id, item.seq) : api.pin(room.id, item.seq));
}

export function inviteLink(room: Id, code: string): string {
  return `${location.origin}${location.pathname}${paths.invite(room, code)}`;
}

export function messageLink(room: Id, seq: Seq): string {
  return `${location.origin}${location.pathname}${paths.message(room, seq)}`;
}

/** The members after those that are loaded. */
export async function loadMoreMembers(room: RoomState): Promise<void> {
  const cursor = room.membersCursor.value;
  const page = await api.members(room.id, { limit: 100, ...(cursor === undefined ? {} : { cursor }) });
  room.members.value = [...(room.members.value ?? []), ...page.members];
  room.membersCursor.value = page.next_cursor ?? undefined;
}
