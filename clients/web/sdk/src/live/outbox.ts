/**
 * The messages that the server has not yet acknowledged, kept in storage so that neither a lost connection nor a
 * reload loses one. Each is sent again under the same `client_id`, which the server stores once. It sends nothing
 * itself: `live.ts` asks it what is due.
 */

import type { FileRef, Id, NewMessage, Seq, Timestamp } from "../protocol.ts";
import type { Storage } from "../storage.ts";

export interface OutboxEntry extends Readonly<Omit<NewMessage, "client_id" | "files">> {
  readonly client_id: string;
  /** Files that were uploaded for it. */
  readonly files?: readonly FileRef[];
  readonly room: Id;
  /** When it was written, by this device's clock. */
  readonly at: Timestamp;
  /** `waiting` to be sent · `sent`, not acknowledged · `acked`, its event not yet seen · `failed` for good. */
  readonly state: "waiting" | "sent" | "acked" | "failed";
  /** Why it failed: the server's error code. */
  readonly failure?: string;
  /** Its place, once acknowledged. */
  readonly seq?: Seq;
}

/** What outlives the program. A `failed` entry does too: only its writer throws it away. */
interface StoredEntry extends Omit<OutboxEntry, "state" | "seq"> {
  /** Messages of one moment are told apart by it. */
  order: number;
}

export class Outbox {
  private entries = new Map<string, OutboxEntry & { order: number }>();
  private readonly prefix: string;
  private lastOrder = 0;

  /**
   * Each entry has its own key, so that two tabs do not overwrite each other. Both may send what they found there:
   * the server keeps one.
   */
  constructor(private readonly storage: Storage, user: Id) {
    this.prefix = `chatx.outbox.${user}.`;
  }

  /** Takes up what an earlier program left, before what was written since. Answers the rooms that have any. */
  async load(): Promise<Set<Id>> {
    const found: (OutboxEntry & { order: number })[] = [];
    for (const [, text] of await this.storage.entries(this.prefix)) {
      const stored = parseEntry(text);
      if (stored === undefined || this.entries.has(stored.client_id)) continue;
      found.push({ ...stored, state: stored.failure === undefined ? "waiting" : "failed" });
    }
    found.sort((a, b) => a.order - b.order);
    this.entries = new Map([...found.map((entry) => [entry.client_id, entry] as const), ...this.entries]);
    return new Set([...this.entries.values()].map((entry) => entry.room));
  }

  /** Resolves once it is kept. */
  add(entry: Omit<OutboxEntry, "state" | "failure" | "seq">): Promise<void> {
    this.lastOrder = Math.max(Date.parse(entry.at), this.lastOrder + 0.001);
    return this.put({ ...entry, state: "waiting", order: this.lastOrder });
  }

  /** The messages of a room that have no event yet, in the order in which they were written. */
  of(room: Id): OutboxEntry[] {
    return [...this.entries.values()].filter((entry) => entry.room === room);
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
    this.change(client_id, { state: "sent" }, false);
  }

  /** The server has stored it. It stays visible here until its event was seen, but a reload need not resend it. */
  acked(client_id: string, seq: Seq): void {
    if (!this.entries.has(client_id)) return;
    this.forget(client_id);
    this.change(client_id, { state: "acked", seq }, false);
  }

  /** Its event was seen, or its writer gave it up. */
  remove(client_id: string): Id | undefined {
    const entry = this.entries.get(client_id);
    if (entry === undefined) return undefined;
    this.entries.delete(client_id);
    this.forget(client_id);
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
    const entry = this.entries.get(client_id);
    if (entry === undefined) return undefined;
    const { failure: _, ...rest } = entry;
    void this.put({ ...rest, state: "waiting" });
    return entry.room;
  }

  retryWithoutFiles(client_id: string): Id | undefined {
    const entry = this.entries.get(client_id);
    if (entry === undefined) return undefined;
    const { files: _, ...rest } = entry;
    this.entries.set(client_id, rest);
    return this.retry(client_id);
  }

  fail(client_id: string, failure: string): Id | undefined {
    this.change(client_id, { state: "failed", failure });
    return this.entries.get(client_id)?.room;
  }

  /** The connection is gone: what was under way may or may not have arrived. */
  disconnected(): void {
    for (const entry of this.entries.values()) {
      if (entry.state === "sent") this.change(entry.client_id, { state: "waiting" }, false);
    }
  }

  has(client_id: string): boolean {
    return this.entries.has(client_id);
  }

  private change(client_id: string, change: Partial<OutboxEntry>, store = true): void {
    const entry = this.entries.get(client_id);
    if (entry !== undefined) void this.put({ ...entry, ...change }, store);
  }

  /** A storage that is full or forbidden costs only what a reload would lose: what is in memory is sent all the same. */
  private async put(entry: OutboxEntry & { order: number }, store = true): Promise<void> {
    this.entries.set(entry.client_id, entry);
    if (!store) return;
    const { state: _, seq: __, ...stored } = entry;
    await this.storage.set(this.prefix + entry.client_id, JSON.stringify(stored)).catch(() => undefined);
  }

  private forget(client_id: string): void {
    this.storage.remove(this.prefix + client_id).catch(() => undefined);
  }
}

function parseEntry(text: string): StoredEntry | undefined {
  try {
    const value = JSON.parse(text) as Partial<StoredEntry>;
    const whole = typeof value.client_id === "string" && typeof value.room === "string" && typeof value.body === "string";
    return whole && typeof value.at === "string" && typeof value.order === "number" ? (value as StoredEntry) : undefined;
  } catch {
    return undefined;
  }
}
