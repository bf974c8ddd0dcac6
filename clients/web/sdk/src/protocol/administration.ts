/** What moderators and server admins see and change. */

import type { Id, Room, Seq, Timestamp, UserRef, Visibility } from "./bodies.ts";

export type ReportReason = "spam" | "harassment" | "hate" | "violence" | "sexual" | "illegal" | "other";
export type ReportState = "open" | "resolved" | "dismissed";

/** That somebody finds a message out of place. */
export interface Report {
  id: Id;
  room: Id;
  seq: Seq;
  reporter: UserRef;
  /** Who wrote the message. */
  sender: UserRef;
  reason: ReportReason;
  note?: string | null;
  /** What the message said when it was reported; gone with the message. */
  body?: string | null;
  state: ReportState;
  created_at: Timestamp;
  closed_at?: Timestamp | null;
  closed_by?: Id | null;
}

/** A room of the caller's that can be brought back. */
export interface DeletedRoom {
  room: Room;
  deleted_at: Timestamp;
  restorable_until: Timestamp;
}

/** An account, as server admins see it. */
export interface Account extends UserRef {
  email?: string | null;
  bio: string;
  status: string;
  created_at: Timestamp;
  admin: boolean;
  /** Whether the settings of the server make them one, so that nobody here can take it. */
  admin_by_settings: boolean;
  suspended_at?: Timestamp | null;
  suspended_reason?: string | null;
  erased_at?: Timestamp | null;
  /** How many are open. */
  sessions: number;
  rooms: number;
  owned_rooms: number;
  last_seen_at?: Timestamp | null;
}

/** `null` empties. */
export interface AccountChanges {
  suspended?: boolean;
  suspended_reason?: string | null;
  admin?: boolean;
  display_name?: string | null;
}

/** For whoever is to set a new password; told once. */
export interface PasswordReset {
  token: string;
  url: string;
  expires_at: Timestamp;
}

/** A room, as server admins see it. */
export interface AdminRoom {
  room: Room;
  owner?: UserRef | null;
  /** Whether its owner is erased or suspended. */
  ownerless: boolean;
  messages: number;
  deleted_at?: Timestamp | null;
  restorable_until?: Timestamp | null;
}

export interface AdminRoomChanges {
  owner?: Id;
  archived?: boolean;
  /** `false` brings a deleted room back. */
  deleted?: false;
}

export interface StorageUse {
  engine: "postgres" | "sqlite";
  database_bytes: number;
  users: number;
  rooms: number;
  deleted_rooms: number;
  events: number;
  messages: number;
  files?: number;
  files_bytes?: number;
  /** The rooms with the most events. */
  largest: { room: Id; name: string; visibility: Visibility; events: number; messages: number; members: number; files_bytes?: number }[];
}
