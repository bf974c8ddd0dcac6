/**
 * The messages that the server has not yet acknowledged, kept in storage so that neither a lost connection nor a
 * reload loses one. Each is sent again under the same `client_id`, which the server stores once. It sends nothing
 * itself: `client.ts` asks it what is due.
 */

import type { Id, Seq, Timestamp } from "../protocol";
import type { KeyValue } from "./platform";

export interface OutboxEntry {
  client_id: string;
  room: Id;
  body: string;
  reply_to?: Seq;
  /** When it was written, by this device's clock. */
  at: Timestamp;
  /** `waiting` to be sent · `sent`, not acknowledged · `acked`, its event not yet seen · `failed` for good. */
  state: "waiting" | "sent" | "acked" | "failed";
  /** Why it failed: the server's error code. */
  failure?: string;
  /** Its place, once acknowledged. */
  seq?: Seq;
}

/** What outlives the page. A `failed` entry does too: only its writer throws it away. */
type StoredEntry = Pick<OutboxEntry, "client_id" | "room" | "body" | "reply_to" | "at" | "failure">;

export class Outbox {
  private readonly entries = new Map<string, OutboxEntry>();
  private readonly prefix: string;

  /**
   * Each entry has its own key, so that two tabs do not overwrite each other. Both may send what they found there:
   * the server keeps one.
   */
  constructor(private readonly storage: KeyValue, user: Id) {
    this.prefix = `chatx.outbox.${user}.`;
    const found: OutboxEntry[] = [];
    for (const key of storage.keys().filter((key) => key.startsWith(this.prefix))) {
      const stored = parseEntry(storage.get(key));
      if (stored !== undefined) found.push({ ...stored, state: stored.failure === undefined ? "waiting" : "failed" });
    }
    found.sort((a, b) => a.at.localeCompare(b.at));
    for (const entry of found) this.entries.set(entry.client_id, entry);
  }

  add(entry: Pick<OutboxEntry, "client_id" | "room" | "body" | "reply_to" | "at">): void {
    this.put({ ...entry, state: "waiting" });
  }

  /** The messages of a room that have no event yet, in the order in which they were written. */
  of(room: Id): OutboxEntry[] {
    return [...this.entries.values()].filter((entry) => entry.room === room);
  }

  /** The rooms that have something to send. */
  rooms(): Set<Id> {
    return new Set([...this.entries.values()].filter((entry) => entry.state === "waiting").map((entry) => entry.room));
  }

  /**
   * The message of a room that may be sent now. At most one is under way, because order is a promise: were two, the
   * first could be refused for a moment and the second be taken before it.
   */
  due(room: Id): OutboxEntry | undefined {
    const entries = this.of(room);
    if (entries.some((entry) => entry.state === "sent")) return undefined;
    return entries.find((entry) => entry.state === "waiting");
  }

  sent(client_id: string): void {
    this.change(client_id, { state: "sent" });
  }

  /** The server has stored it. It stays visible here until its event was seen, but a reload need not resend it. */
  acked(client_id: string, seq: Seq): void {
    if (!this.entries.has(client_id)) return;
    this.storage.remove(this.prefix + client_id);
    this.change(client_id, { state: "acked", seq }, false);
  }

  /** Its event was seen, or its writer gave it up. */
  remove(client_id: string): Id | undefined {
    const entry = this.entries.get(client_id);
    if (entry === undefined) return undefined;
    this.entries.delete(client_id);
    this.storage.remove(this.prefix + client_id);
    return entry.room;
  }

  /** Acknowledged messages whose events are known to have passed. */
  settle(room: Id, head: Seq): void {
    for (const entry of this.of(room)) {
      if (entry.state === "acked" && (entry.seq ?? 0) <= head) this.entries.delete(entry.client_id);
    }
  }

  /** It is to be sent again: after a refusal that passes, or when its writer says so. */
  retry(client_id: string): Id | undefined {
    this.change(client_id, { state: "waiting", failure: undefined });
    return this.entries.get(client_id)?.room;
  }

  fail(client_id: string, failure: string): Id | undefined {
    this.change(client_id, { state: "failed", failure });
    return this.entries.get(client_id)?.room;
  }

  /** The connection is gone: what was under way may or may not have arrived. */
  disconnected(): void {
    for (const entry of this.entries.values()) {
      if (entry.state === "sent") this.change(entry.client_id, { state: "waiting" });
    }
  }

  has(client_id: string): boolean {
    return this.entries.has(client_id);
  }

  private change(client_id: string, change: Partial<OutboxEntry>, store = true): void {
    const entry = this.entries.get(client_id);
    if (entry !== undefined) this.put({ ...entry, ...change }, store);
  }

  private put(entry: OutboxEntry, store = true): void {
    this.entries.set(entry.client_id, entry);
    if (!store) return;
    const { client_id, room, body, reply_to, at, failure } = entry;
    const stored: StoredEntry = { client_id, room, body, at };
    if (reply_to !== undefined) stored.reply_to = reply_to;
    if (failure !== undefined) stored.failure = failure;
    this.storage.set(this.prefix + client_id, JSON.stringify(stored));
  }
}

function parseEntry(text: string | null): StoredEntry | undefined {
  if (text === null) return undefined;
  try {
    const value = JSON.parse(text) as Partial<StoredEntry>;
    const whole = typeof value.client_id === "string" && typeof value.room === "string" && typeof value.body === "string";
    return whole && typeof value.at === "string" ? (value as StoredEntry) : undefined;
  } catch {
    return undefined;
  }
}
