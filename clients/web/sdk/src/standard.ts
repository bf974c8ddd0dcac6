/** The platform from what browsers, workers, Node (22 and later), Deno and Bun have in common. */

import { IndexedDbStorage } from "./indexeddb.ts";
import type {
  Channel, FileSource, HttpAnswer, HttpRequest, Platform, Signal, Socket, SocketEvents, UploadRequest,
} from "./platform.ts";
import { MemoryStorage, type Storage } from "./storage.ts";

/** What is used of the global object, for the client compiles without the DOM's types. */
interface World {
  fetch(url: string, request: Omit<HttpRequest, "body"> & FetchOptions): Promise<HttpAnswer>;
  FormData: new () => Form;
  XMLHttpRequest?: new () => XhrLike;
  WebSocket?: new (url: string, protocol: string) => WebSocketLike;
  setTimeout(action: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
  crypto: { randomUUID?(): string; getRandomValues(bytes: Uint8Array): Uint8Array };
  document?: { visibilityState: string };
  navigator?: { locks?: { request<T>(name: string, action: () => Promise<T>): Promise<T> } };
  BroadcastChannel?: new (name: string) => BroadcastLike;
}
interface FetchOptions {
  body?: string | Form;
  credentials: "same-origin";
  cache: "no-store";
  signal?: Signal;
}
interface Form {
  append(name: string, file: FileSource, filename: string): void;
}
interface XhrLike {
  readonly status: number;
  readonly responseText: string;
  readonly upload: { onprogress: ((progress: { loaded: number; total: number }) => void) | null };
  onload: (() => void) | null;
  onerror: (() => void) | null;
  onabort: (() => void) | null;
  open(method: string, url: string): void;
  setRequestHeader(name: string, value: string): void;
  getResponseHeader(name: string): string | null;
  send(body: Form): void;
  abort(): void;
}
interface WebSocketLike {
  readonly readyState: number;
  onopen: (() => void) | null;
  onmessage: ((message: { data: unknown }) => void) | null;
  onclose: ((close: { code: number; reason: string }) => void) | null;
  onerror: (() => void) | null;
  send(text: string): void;
  close(code?: number, reason?: string): void;
}
interface BroadcastLike {
  onmessage: ((message: { data: unknown }) => void) | null;
  postMessage(message: unknown): void;
  close(): void;
  unref?(): void;
}

const world = globalThis as unknown as World;
const openState = 1;
/** The cookies are for the server's own origin, and what it answers is nobody's to keep. */
const plainly = { credentials: "same-origin", cache: "no-store" } as const;

export function standardPlatform(storage: Storage): Platform {
  return {
    request: (url, request) => world.fetch(url, { ...request, ...plainly }),
    upload: world.XMLHttpRequest === undefined ? uploadByFetch : uploadByXhr,
    openSocket,
    after(ms, action) {
      const timer = world.setTimeout(action, ms);
      return () => world.clearTimeout(timer);
    },
    watched: () => world.document?.visibilityState === "visible",
    now: () => Date.now(),
    random: () => Math.random(),
    uuid,
    alone,
    channel,
    storage,
  };
}

/** IndexedDB where there is one; else memory, and what was not sent is forgotten with the program. */
export async function standardStorage(): Promise<Storage> {
  try {
    return await IndexedDbStorage.open();
  } catch {
    return new MemoryStorage();
  }
}

async function uploadByFetch(url: string, { headers, file, onProgress, signal }: UploadRequest): Promise<HttpAnswer> {
  const more = signal === undefined ? {} : { signal };
  const answer = await world.fetch(url, { method: "POST", headers, body: formOf(file), ...plainly, ...more });
  onProgress?.(file.size, file.size);
  return answer;
}

/** `fetch` does not tell how an upload goes on; its elder does. */
function uploadByXhr(url: string, { headers, file, onProgress, signal }: UploadRequest): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const Xhr = world.XMLHttpRequest as NonNullable<typeof world.XMLHttpRequest>;
    const request = new Xhr();
    request.open("POST", url);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    // The form around the file counts there; here it does not.
    request.upload.onprogress = ({ loaded, total }) =>
      onProgress?.(Math.min(file.size, Math.max(0, loaded - (total - file.size))), file.size);
    request.onload = () =>
      resolve({
        status: request.status,
        headers: { get: (name) => request.getResponseHeader(name) },
        text: async () => request.responseText,
        arrayBuffer: () => Promise.reject(new Error("an upload is answered by a text")),
      });
    request.onerror = request.onabort = () => reject(new Error("no answer came"));
    if (signal?.aborted === true) return reject(new Error("given up"));
    signal?.addEventListener("abort", () => request.abort());
    request.send(formOf(file));
  });
}

function formOf(file: FileSource): Form {
  const form = new world.FormData();
  form.append("file", file, file.name);
  return form;
}

function openSocket(url: string, protocol: string, events: SocketEvents): Socket {
  if (world.WebSocket === undefined) throw new Error("there is no WebSocket here: Node has it from version 22");
  const socket = new world.WebSocket(url, protocol);
  socket.onopen = () => events.opened();
  socket.onmessage = (message) => events.message(String(message.data));
  socket.onclose = (close) => events.closed(close.code, close.reason);
  // Its close is told too, and says all that is known; unheard, some platforms take an error for uncaught.
  socket.onerror = () => {};
  return {
    send(text) {
      if (socket.readyState === openState) socket.send(text);
    },
    close: (code, reason) => socket.close(code, reason),
  };
}

/** `randomUUID` exists only on secure origins; a page served over plain HTTP within a network makes its own. */
function uuid(): string {
  if (typeof world.crypto.randomUUID === "function") return world.crypto.randomUUID();
  const bytes = world.crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

const turns = new Map<string, Promise<unknown>>();

/** By Web Locks among tabs; where there are none, among the clients of this program. */
function alone<T>(name: string, action: () => Promise<T>): Promise<T> {
  const locks = world.navigator?.locks;
  if (locks !== undefined) return locks.request(name, action);
  const turn = (turns.get(name) ?? Promise.resolve()).catch(() => undefined).then(action);
  turns.set(name, turn);
  const over = () => {
    if (turns.get(name) === turn) turns.delete(name);
  };
  turn.then(over, over);
  return turn;
}

function channel(name: string, heard: (message: unknown) => void): Channel {
  if (world.BroadcastChannel === undefined) return { tell: () => {}, close: () => {} };
  const broadcast = new world.BroadcastChannel(name);
  broadcast.onmessage = (message) => heard(message.data);
  // On Node it would keep the program from ending.
  broadcast.unref?.();
  return { tell: (message) => broadcast.postMessage(message), close: () => broadcast.close() };
}
