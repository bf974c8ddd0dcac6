/** What the two sides say over a socket, and why the server closes one. */

import type { ChosenPresence, ErrorBody, Id, PresenceState, Seq, Timestamp, UserRef } from "./bodies.ts";
import type { RoomEvent } from "./events.ts";

// Frames, client → server.

export type ClientFrame =
  | { type: "subscribe"; id?: string; room: Id; after?: Seq; after_id?: Id; limit?: number }
  | { type: "unsubscribe"; id?: string; room: Id }
  | { type: "send"; id?: string; room: Id; client_id: string; body: string; reply_to?: Seq; thread?: Seq; files?: Id[] }
  | { type: "read"; room: Id; seq: Seq }
  | { type: "typing"; room: Id; on: boolean }
  | { type: "presence"; state: ChosenPresence }
  | { type: "refresh"; id?: string; token: string }
  | { type: "ping"; id?: string };

// Frames, server → client.

export interface ReadyFrame {
  type: "ready";
  connection: string;
  user: UserRef;
  node: string;
  heartbeat_s: number;
  /** What this server takes. */
  limits?: { file_max_bytes?: number; message_max_files?: number };
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
/** One came to be a member of a room: by another device, or by somebody else. It may be lost. */
export interface RoomAddedFrame {
  type: "room_added";
  room: Id;
}
/** One is a member of a room no more. It may be lost. */
export interface RoomRemovedFrame {
  type: "room_removed";
  room: Id;
  reason: UnsubscribedReason;
}
/** Somebody whom one knows from a room, or oneself on another device, as they are from now on. It may be lost. */
export interface UserFrame {
  type: "user";
  user: UserRef;
  /** What they are up to. */
  status: string;
}
/** How many reports of a room that one moderates are open now. It may be lost. */
export interface ReportsFrame {
  type: "reports";
  room: Id;
  open: number;
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
  | RoomAddedFrame
  | UserFrame
  | ReportsFrame
  | RoomRemovedFrame
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
