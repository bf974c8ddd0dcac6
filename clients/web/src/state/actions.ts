/** What people do in their rooms. Each asks the server and lets the answer, or the event that follows, change the page. */

import type { Id, RoomFields } from "../protocol";
import { currentClient, dropRoom, loadRooms, rooms } from "./chat";
import type { RoomState } from "./room";
import { go, paths } from "./router";
import { api, endSession } from "./session";

const pageSize = 60;

/** The socket goes first: were the server to close it for the ended session, that would look like a loss. */
export async function logOut(): Promise<void> {
  const connection = currentClient()?.connection;
  connection?.stop();
  try {
    await endSession();
  } catch (thrown) {
    connection?.start();
    throw thrown;
  }
}

/** Loads what comes before, once at a time. */
export async function loadOlder(room: RoomState): Promise<void> {
  const page = room.olderPage(pageSize);
  if (page === undefined || room.loading.value === "busy") return;
  room.loading.value = "busy";
  try {
    const { events } = await api.events(room.id, page.after, page.limit);
    room.prepend(page.after, events);
    room.loading.value = "idle";
  } catch {
    room.loading.value = "failed";
  }
}

export async function createRoom(fields: RoomFields): Promise<void> {
  const room = await api.createRoom(fields);
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
  currentClient()?.unfollow(room);
}

export async function deleteRoom(room: Id): Promise<void> {
  await api.deleteRoom(room);
  dropRoom(room);
}

export async function updateRoom(room: RoomState, fields: RoomFields): Promise<void> {
  room.info.value = { ...room.info.value, ...(await api.updateRoom(room.id, fields)) };
}

export async function inviteLink(room: Id): Promise<string> {
  const { code } = await api.createInvite(room);
  return `${location.origin}${location.pathname}${paths.invite(room, code)}`;
}

/** The members after those that are loaded. */
export async function loadMoreMembers(room: RoomState): Promise<void> {
  const page = await api.members(room.id, room.membersCursor.value);
  room.members.value = [...(room.members.value ?? []), ...page.members];
  room.membersCursor.value = page.next_cursor ?? undefined;
}
