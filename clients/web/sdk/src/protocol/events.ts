/** What a room's log holds: one type for each kind of event. */

import type { FileRef, Id, Mention, Reaction, Role, Seq, Timestamp, UserRef } from "./bodies.ts";

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
  thread?: Seq | null;
  reactions?: readonly Reaction[];
  files?: readonly FileRef[];
  mentions?: readonly Mention[];
  pinned?: boolean;
}
export interface EditEvent extends EventBase {
  kind: "edit";
  target: Seq;
  body: string;
  /** Whom the new text calls; those whom the one before called are called no more. */
  mentions?: readonly Mention[];
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
/** Somebody answered a message with a sign, or took it back. Events do not say `me`: it differs by reader. */
export interface ReactionEvent extends EventBase {
  kind: "react" | "unreact";
  target: Seq;
  emoji: string;
}
export interface PinEvent extends EventBase {
  kind: "pin" | "unpin";
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
  | ReactionEvent
  | PinEvent;

const knownKinds: Record<RoomEvent["kind"], true> = {
  message: true, edit: true, delete: true, join: true, leave: true, kick: true, ban: true, unban: true, role: true,
  mute: true, room: true, archive: true, react: true, unreact: true, pin: true, unpin: true,
};

/** Whether an event is of a kind that this version knows; others count for the order and mean nothing here. */
export function isKnown(event: { kind: string }): boolean {
  return Object.hasOwn(knownKinds, event.kind);
}

/** A part of a room's log. */
export interface EventPage {
  events: RoomEvent[];
  head: Seq;
}
