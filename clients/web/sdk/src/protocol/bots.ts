/** Programs among the people: bots and their tokens, and the ways that a room's log goes out and comes in. */

import type { Id, Seq, Timestamp, UserRef } from "./bodies.ts";

export type Scope = "rooms:read" | "rooms:write" | "messages:read" | "messages:write" | "members:write" | "files:write";

export interface Bot extends UserRef {
  bio: string;
  owner_id: Id;
  created_at: Timestamp;
}

export interface NewBot {
  username: string;
  display_name?: string;
  bio?: string;
}

export interface BotToken {
  id: Id;
  name: string;
  scopes: Scope[];
  created_at: Timestamp;
  expires_at?: Timestamp | null;
  /** What the bot shows; told once, when the token is made. */
  token?: string;
}

export interface NewBotToken {
  name: string;
  scopes: Scope[];
  /** Without it, the token is good until it is revoked. */
  expires_in_s?: number;
}

/** What carries the logs of rooms to a url. */
export interface Webhook {
  id: Id;
  url: string;
  /** `seq`: up to where it has delivered; `head`: up to where there is something. */
  rooms: { room: Id; seq: Seq; head: Seq }[];
  /** Which kinds of events; every kind if empty. */
  kinds: string[];
  user_id: Id;
  enabled: boolean;
  state: "active" | "retrying" | "disabled";
  /** How many tries in a row have failed. */
  failures: number;
  last_error?: string | null;
  failing_since?: Timestamp | null;
  next_attempt_at?: Timestamp | null;
  disabled_at?: Timestamp | null;
  delivered_at?: Timestamp | null;
  created_at: Timestamp;
  /** What deliveries are signed with; told once, when it is made. */
  secret?: string;
}

export interface NewWebhook {
  url: string;
  rooms: Id[];
  kinds?: string[];
  secret?: string;
}

export interface WebhookChanges extends Partial<NewWebhook> {
  enabled?: boolean;
}

/** The way into a room for a tool that can only post. */
export interface Hook {
  id: Id;
  room: Id;
  name: string;
  /** As whom it posts. */
  user: UserRef;
  /** Who made it. */
  by?: Id | null;
  created_at: Timestamp;
  /** Where to post; told once, when it is made. */
  url?: string;
}
