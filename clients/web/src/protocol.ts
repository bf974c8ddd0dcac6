/**
 * What the client and the server say to each other: every body and frame that this client uses, as types.
 * Nothing here runs, but for the two small readers at the end. The words are those of `docs/protocol.md`.
 */

/** A UUIDv7, lower-case. */
export type Id = string;
/** RFC 3339, UTC, milliseconds. */
export type Timestamp = string;
/** An event's place in its room: dense, from 1. */
export type Seq = number;

export type Visibility = "public" | "private" | "secret" | "direct";
export type Role = "owner" | "admin" | "moderator" | "member";
/** What others may see; `invisible` is only ever sent, and is seen as `offline`. */
export type PresenceState = "online" | "away" | "dnd" | "offline";
export type ChosenPresence = "online" | "away" | "dnd" | "invisible";

/** How a person is named inside another body. */
export interface UserRef {
  id: Id;
  username: string;
  display_name: string;
}

export interface User extends UserRef {
  email?: string;
  bio?: string | null;
  status?: string | null;
  created_at?: Timestamp;
}

/** The answer to register, log in and refresh. With `?cookie=true` the tokens are cookies and not in the body. */
export interface SignedIn {
  user: User;
  /** Seconds that the access token lives. */
  expires_in: number;
}

export interface Session {
  id: Id;
  device?: string | null;
  ip?: string | null;
  created_at: Timestamp;
  last_seen_at: Timestamp;
  current: boolean;
}

export interface Room {
  id: Id;
  name: string;
  topic?: string | null;
  visibility: Visibility;
  has_password: boolean;
  owner_id?: Id | null;
  /** How many people are in it. */
  members: number;
  max_members?: number | null;
  /** The seq of its newest event; untold to those who may not read it, as is when it was made. */
  head?: Seq;
  created_at?: Timestamp;
  archived_at?: Timestamp | null;
  slow_mode_s?: number | null;
  history?: "all" | "since_join";
  /** The caller's role; absent for someone who is not a member. */
  role?: Role | null;
}

/** A room of the caller's own list. */
export interface MyRoom extends Room {
  /** Up to where the caller has read. */
  read: Seq;
  unread: number;
  last_message?: Message | null;
}

export interface Member {
  user: UserRef;
  role: Role;
  presence?: PresenceState | null;
  joined_at?: Timestamp;
  muted_until?: Timestamp | null;
}

export interface Ban {
  user: UserRef;
  reason?: string | null;
  until?: Timestamp | null;
}

export interface Invite {
  code: string;
  uses?: number;
  max_uses?: number | null;
  expires_at?: Timestamp | null;
}

export interface Message {
  room: Id;
  seq: Seq;
  id: Id;
  kind: "message";
  client_id?: string | null;
  user: UserRef;
  body: string;
  at: Timestamp;
  edited_at?: Timestamp | null;
  deleted_at?: Timestamp | null;
  reply_to?: Seq | null;
}

/** What every event of a room's log has. */
interface EventBase {
  room: Id;
  seq: Seq;
  id: Id;
  /** How many messages the room holds up to here: what unread is counted by. */
  n: number;
  at: Timestamp;
  /** Who did it. */
  user: UserRef;
}

export interface MessageEvent extends EventBase {
  kind: "message";
  client_id?: string | null;
  body: string;
  edited_at?: Timestamp | null;
  deleted_at?: Timestamp | null;
  reply_to?: Seq | null;
  mentions?: readonly (Id | UserRef)[];
}
export interface EditEvent extends EventBase {
  kind: "edit";
  target: Seq;
  body: string;
}
export interface DeleteEvent extends EventBase {
  kind: "delete";
  target: Seq;
}
/** Somebody's place in the room changed. */
export interface MemberEvent extends EventBase {
  kind: "kick" | "ban" | "unban" | "role" | "mute";
  member: UserRef;
  role?: Role | null;
  reason?: string | null;
  until?: Timestamp | null;
}
export interface PassageEvent extends EventBase {
  kind: "join" | "leave";
}
export interface RoomChangeEvent extends EventBase {
  kind: "room";
  changes: Record<string, unknown>;
}
export interface ArchiveEvent extends EventBase {
  kind: "archive";
  /** Whether the room is read-only from here on. */
  archived: boolean;
}
/** Kinds that this client keeps in order but does not show. */
export interface QuietEvent extends EventBase {
  kind: "react" | "unreact" | "pin" | "unpin";
  target: Seq;
}
export type RoomEvent =
  | MessageEvent
  | EditEvent
  | DeleteEvent
  | MemberEvent
  | PassageEvent
  | RoomChangeEvent
  | ArchiveEvent
  | QuietEvent;

const knownKinds: Record<RoomEvent["kind"], true> = {
  message: true, edit: true, delete: true, join: true, leave: true, kick: true, ban: true, unban: true, role: true,
  mute: true, room: true, archive: true, react: true, unreact: true, pin: true, unpin: true,
};

/** Whether an event is of a kind that this version knows. */
export function isKnown(event: { kind: string }): boolean {
  return Object.hasOwn(knownKinds, event.kind);
}

/** A page of discoverable rooms. */
export interface RoomPage {
  rooms: Room[];
  next_cursor?: string | null;
}
export interface MemberPage {
  members: Member[];
  next_cursor?: string | null;
}
export interface EventPage {
  events: RoomEvent[];
  head: Seq;
}

/** The fields of a room that may be given when making or changing one. */
export interface RoomFields {
  name?: string;
  topic?: string;
  visibility?: Visibility;
  /** `null` removes it. */
  password?: string | null;
  slow_mode_s?: number;
}

/** Where to open the socket, and the one-use pass that opens it. */
export interface SocketTicket {
  url: string;
  ticket: string;
  expires_in: number;
  protocol: string;
}

/** Bad input by field name, each with stable codes such as `too_short`. */
export type FieldErrors = Record<string, string[]>;
export interface ErrorBody {
  code: string;
  message: string;
  fields?: FieldErrors;
  request_id?: string;
}

// Frames, client → server.

export type ClientFrame =
  | { type: "subscribe"; id?: string; room: Id; after?: Seq; after_id?: Id; limit?: number }
  | { type: "unsubscribe"; id?: string; room: Id }
  | { type: "send"; id?: string; room: Id; client_id: string; body: string; reply_to?: Seq }
  | { type: "read"; room: Id; seq: Seq }
  | { type: "typing"; room: Id; on: boolean }
  | { type: "presence"; state: ChosenPresence }
  | { type: "ping"; id?: string };

// Frames, server → client.

export interface ReadyFrame {
  type: "ready";
  connection: string;
  user: UserRef;
  node: string;
  heartbeat_s: number;
}
export interface OnlineUser extends UserRef {
  state: PresenceState;
}
export interface SubscribedFrame {
  type: "subscribed";
  id?: string;
  room: Id;
  head: Seq;
  /** The lowest seq that this member may read. */
  first: Seq;
  events: RoomEvent[];
  /** What the client holds is not a prefix of the log: it starts again from `events`. */
  reset?: boolean;
  /** `users` is cut at 200 and empty in rooms of more than 500; `count` always holds. */
  online?: { count: number; users: OnlineUser[] };
}
export type UnsubscribedReason = "left" | "kicked" | "banned" | "deleted" | "archived";
export interface UnsubscribedFrame {
  type: "unsubscribed";
  room: Id;
  reason: UnsubscribedReason;
}
export type EventFrame = RoomEvent & { type: "event" };
export interface AckFrame {
  type: "ack";
  id?: string;
  room: Id;
  seq: Seq;
  at: Timestamp;
  client_id?: string | null;
  duplicate?: boolean;
}
export interface ErrorFrame extends ErrorBody {
  type: "error";
  id?: string;
  retry_after_ms?: number;
}
export interface PresenceFrame {
  type: "presence";
  room: Id;
  user: UserRef;
  state: PresenceState;
}
export interface TypingFrame {
  type: "typing";
  room: Id;
  user: UserRef;
  on: boolean;
}
export interface ReadFrame {
  type: "read";
  room: Id;
  user: Id;
  seq: Seq;
}
export interface GoAwayFrame {
  type: "goaway";
  reason: string;
  reconnect_after_ms: number;
  url?: string | null;
}
export interface PongFrame {
  type: "pong";
  at: Timestamp;
  heads?: Record<Id, Seq>;
}
export type ServerFrame =
  | ReadyFrame
  | SubscribedFrame
  | UnsubscribedFrame
  | EventFrame
  | AckFrame
  | { type: "ok"; id?: string; result?: unknown }
  | ErrorFrame
  | PresenceFrame
  | TypingFrame
  | ReadFrame
  | GoAwayFrame
  | PongFrame;

/** Why the server closed the socket, by number. */
export const CloseCode = {
  normal: 1000,
  goingAway: 1001,
  tooLarge: 1009,
  internal: 1011,
  malformed: 4400,
  unauthenticated: 4401,
  notAllowed: 4403,
  tooSlow: 4408,
  flooding: 4429,
} as const;

/** The limits that a form can check before the server does. Characters are Unicode scalar values. */
export const limits = {
  usernameMin: 3,
  usernameMax: 32,
  displayNameMax: 64,
  passwordMin: 10,
  roomNameMax: 64,
  topicMax: 1024,
  roomPasswordMin: 4,
  bodyMax: 8000,
} as const;

/** Reads a text frame; undefined for what is not a JSON object with a `type`. */
export function parseFrame(text: string): ServerFrame | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && "type" in value) return value as ServerFrame;
  } catch {
    // Falls through: a frame that is not JSON is as useless as one without a type.
  }
  return undefined;
}

/** How many Unicode scalar values a text has, as the server counts. */
export function scalarCount(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}
