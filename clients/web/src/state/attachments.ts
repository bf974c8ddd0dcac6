/**
 * Files for a message that is being written: each is uploaded as soon as it is chosen, and stays with the draft. What a
 * reload interrupted is still named then, to be chosen again; what was uploaded is still there.
 */

import { effect, signal } from "@preact/signals";
import { asRefusal, type FileRef, limits, type OutboxEntry } from "@chatx/sdk";
import { after, remembered } from "../browser";
import { refusalText, strings } from "../strings";
import { draft, keyOf, type Place, returned } from "./drafts";
import { chat, me } from "./session";
import { toast } from "./toasts";

export interface Attachment {
  readonly key: number;
  readonly name: string;
  /** In bytes. */
  readonly size: number;
  /** `waiting` for its turn · `uploading` · `done` · `failed`, and may be tried again · `interrupted` by a reload. */
  readonly state: "waiting" | "uploading" | "done" | "failed" | "interrupted";
  /** So much of it is uploaded, in bytes. */
  readonly sent: number;
  readonly problem?: string;
  /** What it is to the server, once it has it. */
  readonly file?: FileRef;
}

/** What a reload leaves of one. */
type Kept = Pick<Attachment, "name" | "size" | "file">;

/** More at once make each of them slower. */
const mostAtOnce = 2;
const againAfterMs = 6_000;

/** How large a file may be, and how many a message may have, as the server last said. */
let mostBytes: number = limits.fileMaxBytes;
let mostFiles: number = limits.messageMaxFiles;
chat.on("ready", ({ limits: told }) => {
  mostBytes = told?.file_max_bytes ?? mostBytes;
  mostFiles = told?.message_max_files ?? mostFiles;
});

/** Takes a message whose files are gone back to where it was written, to choose them anew. */
export function writeAgain({ client_id, room, thread, body, files }: OutboxEntry): void {
  const place = { room, thread };
  attachmentsOf(place).name(files ?? []);
  draft.keep(place, [body, draft.of(place)].filter((text) => text !== "").join("\n"));
  returned.value = place;
  chat.live?.discard(client_id);
}

let made = 0;
let running = 0;
const queue: (() => Promise<void>)[] = [];
const places = new Map<string, Attachments>();

/** The files of what is being written there. */
export function attachmentsOf(place: Place): Attachments {
  const key = keyOf("files", place);
  const known = places.get(key) ?? new Attachments(place, key);
  places.set(key, known);
  return known;
}

// Whoever logs out takes their uploads with them.
effect(() => {
  if (me.value !== undefined) return;
  for (const place of places.values()) place.cancelAll();
  places.clear();
});

export class Attachments {
  readonly list = signal<readonly Attachment[]>([]);
  private readonly sources = new Map<number, { file: File; abort: AbortController }>();

  constructor(private readonly place: Place, private readonly key: string) {
    this.list.value = recalled(key).map((kept) => ({
      ...kept,
      key: ++made,
      state: kept.file === undefined ? "interrupted" : "done",
      sent: kept.file === undefined ? 0 : kept.size,
    }));
  }

  /** Whether all that is here can go with a message now: `busy` will soon, `stuck` needs somebody. */
  get state(): "ready" | "busy" | "stuck" {
    const states = new Set(this.list.value.map(({ state }) => state));
    if (states.has("failed") || states.has("interrupted")) return "stuck";
    return states.has("waiting") || states.has("uploading") ? "busy" : "ready";
  }

  /** Begins to upload; what cannot be taken is said at once. */
  add(files: readonly File[]): void {
    const room = Math.max(0, mostFiles - this.list.value.length);
    if (files.length > room) toast(strings.files.tooMany(mostFiles), "bad");
    for (const file of files.slice(0, room)) {
      if (file.size > mostBytes) toast(strings.files.tooLarge(file.name, mostBytes), "bad");
      else this.begin(file);
    }
  }

  /** Names files that were lost, and have to be chosen again. */
  name(files: readonly FileRef[]): void {
    const lost = files.map(({ name, size }): Attachment => ({ key: ++made, name, size, state: "interrupted", sent: 0 }));
    this.show([...this.list.value, ...lost]);
  }

  /** Tries a failed one again. */
  retry(key: number): void {
    const source = this.sources.get(key);
    if (source !== undefined) this.enqueue(key, source.file);
  }

  /** Gives it up, uploaded or not. */
  remove(key: number): void {
    this.sources.get(key)?.abort.abort();
    this.sources.delete(key);
    this.show(this.list.value.filter((other) => other.key !== key));
  }

  /** The files for the message that is sent now; none is left here. */
  take(): FileRef[] {
    const files = this.list.value.flatMap(({ file }) => (file === undefined ? [] : [file]));
    this.sources.clear();
    this.show([]);
    return files;
  }

  /** Stops what is under way, and keeps what is remembered. */
  cancelAll(): void {
    for (const { abort } of this.sources.values()) abort.abort();
    this.sources.clear();
  }

  private begin(file: File): void {
    const key = ++made;
    this.show([...this.list.value, { key, name: file.name, size: file.size, state: "waiting", sent: 0 }]);
    this.enqueue(key, file);
  }

  private enqueue(key: number, file: File): void {
    this.sources.set(key, { file, abort: new AbortController() });
    this.change(key, { state: "waiting", sent: 0 });
    queue.push(() => this.upload(key));
    next();
  }

  private async upload(key: number): Promise<void> {
    const source = this.sources.get(key);
    if (source === undefined) return;
    this.change(key, { state: "uploading" });
    try {
      const file = await chat.upload(this.place.room, source.file, {
        signal: source.abort.signal,
        onProgress: (sent) => this.change(key, { sent }),
      });
      this.sources.delete(key);
      this.change(key, { state: "done", sent: source.file.size, file });
    } catch (thrown) {
      const refused = asRefusal(thrown);
      if (refused.code === "rate_limited") {
        this.change(key, { state: "waiting", sent: 0 });
        after(refused.retryAfterMs ?? againAfterMs, () => {
          queue.push(() => this.upload(key));
          next();
        });
      } else if (refused.code !== "cancelled") {
        this.change(key, { state: "failed", sent: 0, problem: refusalText(refused) });
      }
    }
  }

  private change(key: number, change: Partial<Attachment>): void {
    const list = this.list.value.map((one) => (one.key === key ? { ...one, ...change } : one));
    if (change.state === undefined) this.list.value = list;
    else this.show(list);
  }

  private show(list: readonly Attachment[]): void {
    this.list.value = list;
    const kept = list.map(({ name, size, file }): Kept => ({ name, size, ...(file === undefined ? {} : { file }) }));
    if (kept.length === 0) remembered.remove(this.key);
    else remembered.set(this.key, JSON.stringify(kept));
  }
}

/** Uploads those whose turn it is. */
function next(): void {
  while (running < mostAtOnce) {
    const upload = queue.shift();
    if (upload === undefined) return;
    running += 1;
    void upload().finally(() => {
      running -= 1;
      next();
    });
  }
}

function recalled(key: string): Kept[] {
  try {
    const kept: unknown = JSON.parse(remembered.get(key) ?? "[]");
    return Array.isArray(kept) ? (kept as Kept[]).filter(({ name, size }) => typeof name === "string" && typeof size === "number") : [];
  } catch {
    return [];
  }
}
