/** The rooms of whoever is signed in, kept true by the connection. What people do in them is `actions.ts`. */

import { batch, computed, effect, signal, untracked } from "@preact/signals";
import type {
  Id, MessageEvent, MyRoom, ReadFrame, Refusal, RoomEvent, Status, SubscribedFrame, TypingFrame, UnsubscribedFrame,
} from "@chatx/sdk";
import { after } from "../browser";
import { refusalText, strings } from "../strings";
import { roomTitle } from "./names";
import { atEnd, visible } from "./page";
import { forget, keep, recall } from "./recall";
import { RoomState, typingEndsMs } from "./room";
import { go, paths, route } from "./router";
import { api, chat, me, phase, refreshMe } from "./session";
import { inBackground, toast } from "./toasts";

export const rooms = signal<ReadonlyMap<Id, RoomState>>(new Map());
/** Whether the list has come: before it, no rooms means nothing. */
export const roomsKnown = signal(false);
export const status = signal<Status>({ kind: "idle" });

/** Newest activity first. */
export const roomList = computed(() =>
  [...rooms.value.values()].sort((a, b) => b.activeAt.value.localeCompare(a.activeAt.value)),
);
export const openRoom = computed(() => (route.value.page === "room" ? rooms.value.get(route.value.room) : undefined));
export const totalUnread = computed(() => roomList.value.reduce((sum, room) => sum + room.unread.value, 0));

/** Whether the next socket that is ready is not the first one. */
let returned = false;
/** Lists that were asked for; one that answers after a newer one, or after a room was left, says nothing. */
let asked = 0;
let answered = 0;
const typingTimers = new Map<string, () => void>();
const memberTimers = new Map<Id, () => void>();
/** Several people may come and go at once; the list of members is then read once. */
const membersAfterMs = 400;
/** The same of what is unread where only the server knows. */
const recountAfterMs = 400;
let cancelRecount = () => {};
/** Told of each new message of somebody else that came while it was followed. */
export const arrived = signal<{ room: RoomState; message: MessageEvent } | undefined>(undefined);

chat.on("status", (next) => (status.value = next));
chat.on("ready", ready);
chat.on("snapshot", snapshot);
chat.on("event", received);
chat.on("unsubscribed", unsubscribed);
chat.on("roomAdded", ({ room }) => void (rooms.peek().has(room) || inBackground(loadRooms)));
chat.on("refused", refused);
chat.on("userChanged", ({ user }) => void (user.id === me.peek()?.id && inBackground(refreshMe)));
chat.on("reports", ({ room, open }) => {
  const state = rooms.value.get(room);
  if (state !== undefined) state.openReports.value = open;
});
chat.on("presence", (frame) => rooms.value.get(frame.room)?.presence(frame.user, frame.state));
chat.on("typing", typing);
chat.on("read", read);
chat.on("outbox", (room) => {
  const state = rooms.value.get(room);
  if (state !== undefined) state.unsent.value = chat.live?.unsent(room) ?? [];
});

effect(() => {
  if (phase.value === "signed-in") untracked(begin);
  if (phase.value === "signed-out") untracked(end);
});

/** The rooms as they were last known are there at once, also while the server is away. */
function begin(): void {
  const known = recall(me.value?.id);
  if (known !== undefined) show(known);
  void inBackground(loadRooms).then((done) => {
    // The first socket may be ready before the list could be had.
    if (!done) returned = true;
    if (!done && status.peek().kind === "live") ready();
  });
}

function end(): void {
  returned = false;
  answered = asked;
  forget();
  batch(() => {
    rooms.value = new Map();
    roomsKnown.value = false;
  });
}

/** After a time away the list may be another one; the first time it has just been asked for. */
function ready(): void {
  if (returned) void inBackground(loadRooms);
  returned = true;
}

/** Reads the list of rooms, follows those that are new, and lets go of those that are gone. */
export async function loadRooms(): Promise<void> {
  const ask = ++asked;
  const listed = await api.myRooms();
  if (ask <= answered) return;
  answered = ask;
  show(listed);
  keep(me.value?.id, listed);
  // What is open is followed first, for that is what somebody waits for.
  const open = openRoom.value?.id;
  if (open !== undefined) follow(open);
  for (const id of rooms.value.keys()) follow(id);
  if (openRoom.value !== undefined) markReadIfSeen(openRoom.value);
}

/** Goes on where the list ends, so that nothing is missed between the two. */
function follow(id: Id): void {
  chat.live?.follow(id, { from: { after: rooms.value.get(id)?.info.value.head ?? 0 } });
}

function show(listed: readonly MyRoom[]): void {
  const before = rooms.value;
  const next = new Map<Id, RoomState>();
  for (const room of listed) {
    const known = before.get(room.id);
    known?.refresh(room);
    // What the server said may have been older than what was heard meanwhile.
    if (known?.isMiscounted === true) recountSoon();
    next.set(room.id, known ?? newRoom(room));
  }
  for (const id of before.keys()) if (!next.has(id)) chat.unfollow(id);
  batch(() => {
    rooms.value = next;
    roomsKnown.value = true;
  });
}

function newRoom(room: MyRoom): RoomState {
  const state = new RoomState(room);
  state.unsent.value = chat.live?.unsent(room.id) ?? [];
  return state;
}

export function dropRoom(id: Id): void {
  answered = asked;
  if (!rooms.value.has(id)) return;
  const next = new Map(rooms.value);
  next.delete(id);
  rooms.value = next;
  if (route.value.page === "room" && route.value.room === id) go(paths.rooms, true);
}

function snapshot(frame: SubscribedFrame, events: RoomEvent[]): void {
  const room = rooms.value.get(frame.room);
  if (room === undefined) return;
  room.snapshot(frame, events);
  for (const event of events) {
    count(room, event);
    noticed(room, event);
  }
  markReadIfSeen(room);
}

function received(event: RoomEvent): void {
  const room = rooms.value.get(event.room);
  if (room === undefined) return;
  batch(() => {
    room.add([event]);
    if (event.kind === "message") room.setTyping(event.user, false);
    count(room, event);
    noticed(room, event);
  });
  if (event.kind === "message") {
    // Who writes has read what came before; on a socket it is the client that says so.
    if (event.user.id === me.value?.id) chat.live?.markRead(room.id, event.seq);
    else arrived.value = { room, message: event };
  }
  markReadIfSeen(room);
}

/** What comes while nobody looks is unread, and the first of it gets a line before it. */
function count(room: RoomState, event: RoomEvent): void {
  const before = room.unread.value;
  room.count(event);
  if (before === 0 && room.unread.value > 0 && !seen(room)) room.divider.value = room.read.value;
  if (room.isMiscounted) recountSoon();
}

/** Asks the server what is unread, once for all that happens meanwhile. */
function recountSoon(): void {
  cancelRecount();
  cancelRecount = after(recountAfterMs, () => void inBackground(loadRooms));
}

/** What an event changes beside the log itself. */
function noticed(room: RoomState, event: RoomEvent): void {
  switch (event.kind) {
    case "room":
    case "archive":
      void refreshRoom(room);
      break;
    case "role":
      if (event.member.id === me.value?.id) void refreshRoom(room);
      reloadMembersSoon(room);
      break;
    case "ban":
      if (event.member.id === me.value?.id) break;
      // Who is banned need not have been a member, so the room itself is asked how many are left.
      void refreshRoom(room);
      reloadMembersSoon(room);
      break;
    case "join":
    case "leave":
    case "kick":
    case "mute": {
      room.passage(event.seq, event.kind === "join" ? 1 : event.kind === "mute" ? 0 : -1);
      reloadMembersSoon(room);
    }
  }
}

async function refreshRoom(room: RoomState): Promise<void> {
  await inBackground(async () => {
    room.learn(await api.room(room.id));
  });
}

export async function loadMembers(room: RoomState): Promise<void> {
  const page = await api.members(room.id, { limit: 100 });
  batch(() => {
    room.members.value = page.members;
    room.membersCursor.value = page.next_cursor ?? undefined;
    room.info.value = { ...room.info.value, members: Math.max(room.info.value.members, page.members.length) };
  });
}

/** How many reports wait, for those who see to them. */
export async function countReports(room: RoomState): Promise<void> {
  const { reports } = await api.reports(room.id, { state: "open", limit: 200 });
  room.openReports.value = reports.length;
}

/** Only if somebody has looked at the list; else it is read when they do. */
function reloadMembersSoon(room: RoomState): void {
  if (room.members.value === undefined) return;
  memberTimers.get(room.id)?.();
  const reload = () => {
    // It may be we who are gone.
    if (rooms.value.get(room.id) === room) void inBackground(() => loadMembers(room));
  };
  memberTimers.set(room.id, after(membersAfterMs, reload));
}

function unsubscribed(frame: UnsubscribedFrame): void {
  const room = rooms.value.get(frame.room);
  if (room === undefined) return;
  if (frame.reason === "archived") return void refreshRoom(room);
  if (frame.reason !== "left") toast(strings.rooms.removed[frame.reason](roomTitle(room)), "bad");
  dropRoom(frame.room);
}

function refused(id: Id, refusal: Refusal): void {
  const room = rooms.value.get(id);
  if (refusal.code === "archived") return room?.rest();
  if (room !== undefined) toast(`${roomTitle(room)}: ${refusalText(refusal)}`, "bad");
  dropRoom(id);
}

function typing(frame: TypingFrame): void {
  const room = rooms.value.get(frame.room);
  if (room === undefined || frame.user.id === me.value?.id) return;
  const key = `${frame.room} ${frame.user.id}`;
  typingTimers.get(key)?.();
  typingTimers.delete(key);
  room.setTyping(frame.user, frame.on);
  if (frame.on) typingTimers.set(key, after(typingEndsMs, () => room.setTyping(frame.user, false)));
}

// Reading.

function seen(room: RoomState): boolean {
  return visible.value && atEnd.value && room.attached.value && openRoom.value === room;
}

/** Moves the read mark to the end of what is shown, once somebody can have read it. */
export function markReadIfSeen(room: RoomState): void {
  const live = chat.live;
  if (live === undefined || !room.followed.value || !seen(room)) return;
  const head = live.head(room.id);
  if (head > room.read.value && live.markRead(room.id, head)) room.read.value = head;
  room.nothingUnread();
}

/** Somebody has read on: another person, or oneself in another place. */
function read({ room: id, user, seq }: ReadFrame): void {
  const room = rooms.value.get(id);
  if (room === undefined) return;
  if (user !== me.value?.id) {
    room.reads.value = new Map(room.reads.value).set(user, seq);
    return;
  }
  // What was said here comes back, too.
  if (seq <= room.read.value) return;
  batch(() => {
    room.read.value = seq;
    if (seq >= (room.lastMessage.value?.seq ?? 0)) room.nothingUnread();
    else {
      room.isMiscounted = true;
      recountSoon();
    }
  });
}

let shown: RoomState | undefined;

effect(() => {
  const room = openRoom.value;
  const looking = visible.value && atEnd.value && room?.attached.value === true && room.followed.value;
  untracked(() => {
    if (room !== shown) opened(room);
    if (room !== undefined && looking) markReadIfSeen(room);
  });
});

/** Draws the line before what is new, while that is still known: being seen makes it read. */
function opened(room: RoomState | undefined): void {
  if (shown !== undefined) shown.divider.value = undefined;
  shown = room;
  if (room !== undefined) room.divider.value = room.unread.value > 0 ? room.read.value : undefined;
}
