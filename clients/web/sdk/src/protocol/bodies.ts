/** What is asked and answered over HTTP, as types. The words are those of the protocol's own description. */

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

/** Part of a list; `next_cursor` asks for the next part, and is missing at the end. */
export type Page<Name extends string, Entry> = Record<Name, Entry[]> & { next_cursor?: string | null };

// People.

/** How a person is named inside another body. */
export interface UserRef {
  id: Id;
  username: string;
  display_name: string;
}

export interface User extends UserRef {
  /** Told to its owner only. */
  email?: string;
  bio?: string | null;
  status?: string | null;
  created_at?: Timestamp;
  /** Left out where it is not known or not to be seen. */
  presence?: PresenceState | null;
  /** Whether others see how far they have read; told to its owner only. */
  shows_reads?: boolean;
  /** Whether they have the rights of a server admin; told to its owner only. */
  admin?: boolean;
  /** Whether mail reaches them at `email`; told to its owner only. */
  email_verified?: boolean;
  /** Whether a login asks for a code; told to its owner only. */
  totp?: boolean;
  /** Whether one can log in by a password; told to its owner only. */
  has_password?: boolean;
  /** Whether it is a program. */
  bot?: boolean;
}

/** What one may change of oneself. */
export interface ProfileChanges {
  display_name?: string;
  bio?: string;
  status?: string;
  shows_reads?: boolean;
  /** Needs the `password`, and is to be verified anew. */
  email?: string;
  password?: string;
}

/** Who else can say who somebody is. */
export interface Provider {
  id: string;
  name: string;
}

/** An account elsewhere that somebody logs in by. */
export interface Identity {
  id: Id;
  /** Left out when the server no longer takes its word. */
  provider?: Provider;
  issuer: string;
  /** What it was called there the last time. */
  label: string;
  created_at: Timestamp;
  used_at: Timestamp;
}

/** What an authenticator is told. */
export interface TotpSecret {
  secret: string;
  /** The same as an `otpauth://` url. */
  url: string;
}

/** The answer to register, log in and refresh. With cookies the tokens are not in the body. */
export interface SignedIn {
  user: User;
  /** Seconds that the access token lives. */
  expires_in: number;
  access_token?: string;
  refresh_token?: string;
}

export interface Session {
  id: Id;
  device?: string | null;
  ip?: string | null;
  created_at: Timestamp;
  last_seen_at: Timestamp;
  /** Whether it is the one that asks. */
  current: boolean;
}

export interface Registration {
  username: string;
  email: string;
  password: string;
  display_name?: string;
}

export interface Credentials {
  /** A username or an email address. */
  login: string;
  password: string;
  /** How the session is named in the list of sessions. */
  device?: string;
  /** A code of the authenticator, or a recovery code, where the account asks for one. */
  totp?: string;
}

// Rooms.

export interface Room {
  id: Id;
  /** Empty for a direct conversation. */
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
  unread?: number;
  /** The people of a direct conversation, as far as the server names them. */
  people?: UserRef[];
}

/** A room of the caller's own list. */
export interface MyRoom extends Room {
  /** Up to where the caller has read. */
  read: Seq;
  unread: number;
  /** How many of the unread messages name the caller. */
  mentions?: number;
  last_message?: Message | null;
}

/** The fields of a room that may be given when making one. */
export interface NewRoom {
  name: string;
  topic?: string;
  visibility?: Exclude<Visibility, "direct">;
  password?: string;
  max_members?: number;
  history?: "all" | "since_join";
}

/** What may be changed of a room. */
export interface RoomChanges extends Partial<Omit<NewRoom, "password">> {
  /** `null` removes it. */
  password?: string | null;
  archived?: boolean;
  slow_mode_s?: number;
}

export interface Member {
  user: UserRef;
  role: Role;
  presence?: PresenceState | null;
  /** What they are up to; left out when they do not say. */
  status?: string;
  joined_at?: Timestamp;
  muted_until?: Timestamp | null;
}

export interface Ban {
  user: UserRef;
  /** Who banned them. */
  by?: Id;
  reason?: string | null;
  /** For good when it is left out. */
  until?: Timestamp | null;
  created_at?: Timestamp;
}

export interface Invite {
  code: string;
  room: Id;
  /** Who made it. */
  by: Id;
  uses: number;
  /** How often it may be used; without end when it is left out. */
  max_uses?: number | null;
  created_at: Timestamp;
  expires_at: Timestamp;
}

export interface Receipt {
  user: UserRef;
  /** Up to where they have read. */
  seq: Seq;
  at?: Timestamp;
}

/** Somebody whom the caller wants to hear nothing of. */
export interface Block {
  user: UserRef;
  at?: Timestamp;
}

// Messages.

/** Who is called by a message. */
export interface Mention {
  /** Left out for `@room`, which calls everybody. */
  id?: Id | null;
  username: string;
}

export interface Reaction {
  emoji: string;
  count: number;
  /** Whether the caller is among them. */
  me: boolean;
}

/** A file, uploaded or attached to a message. */
export interface FileRef {
  id: Id;
  name: string;
  /** By its content. */
  mime: string;
  /** In bytes. */
  size: number;
  /** Of a picture, in pixels. */
  width?: number | null;
  height?: number | null;
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
  /** A deleted message keeps its place and loses its text. */
  deleted_at?: Timestamp | null;
  reply_to?: Seq | null;
  /** The seq of the message that its thread begins with. */
  thread?: Seq | null;
  /** How many messages the thread has that begins with this one. */
  replies?: number;
  reactions?: Reaction[];
  files?: readonly FileRef[];
  mentions?: Mention[];
  pinned?: boolean;
  /** With the answer to a message that was stored before under the same `client_id`. */
  duplicate?: boolean;
}

export interface NewMessage {
  /** May be empty where there are files. */
  body: string;
  /** The sender's own name for it, 1–64 printable ASCII characters: sent again under it, it is stored once. */
  client_id?: string;
  reply_to?: Seq;
  thread?: Seq;
  /** Files that its sender has uploaded for the room. */
  files?: Id[];
}

export interface MessagePage {
  /** Oldest first. */
  messages: Message[];
  head: Seq;
  has_more: boolean;
}

/** Which messages to read; at most one of `before`, `after` and `around`. */
export interface MessageQuery {
  before?: Seq;
  after?: Seq;
  around?: Seq;
  /** 50 unless told, at most 200. */
  limit?: number;
  sender?: Id;
  thread?: Seq;
  since?: Timestamp;
  until?: Timestamp;
  has?: "file" | "link";
  q?: string;
}

/** A text that a message had before it was edited. */
export interface Version {
  body: string;
  at: Timestamp;
}

export interface Pin {
  message: Message;
  /** Who pinned it. */
  user: UserRef;
  at: Timestamp;
}

export interface SearchQuery {
  q?: string;
  room?: Id;
  sender?: Id;
  since?: Timestamp;
  until?: Timestamp;
  has?: "file" | "link";
  cursor?: string;
  limit?: number;
}

export interface SearchHit {
  message: Message;
  room: Pick<Room, "id" | "name">;
  /** The part of the text around the first word that was looked for, on one line. */
  snippet: string;
}

// The server itself.

export interface Node {
  name: string;
  public_url: string;
  /** Where hints and peers come, if not there too. */
  internal_url?: string | null;
  weight: number;
  state: "live" | "draining" | "dead";
  started_at: Timestamp;
  seen_at: Timestamp;
}

export interface AuditEntry {
  id: Id;
  at: Timestamp;
  action: string;
  actor?: Id | null;
  /** What it was done to: mostly an id. */
  target?: string | null;
  ip: string;
  /** Names the request, or the socket, in the server's log. */
  request_id: string;
  /** What else there is to say; never a body, password or token. */
  data: unknown;
}

/** Where to open the socket, and the one-use pass that opens it. */
export interface SocketTicket {
  url: string;
  ticket: string;
  expires_in: number;
  protocol: string;
}

// Refusals.

/** Bad input by field name, each with stable codes such as `too_short`. */
export type FieldErrors = Record<string, string[]>;
export interface ErrorBody {
  code: string;
  message: string;
  fields?: FieldErrors;
  request_id?: string;
}
