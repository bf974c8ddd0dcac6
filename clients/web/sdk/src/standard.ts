/** The platform from what browsers, workers, Node (22 and later), Deno and Bun have in common. */

import { IndexedDbStorage } from "./indexeddb.ts";
import type { Channel, HttpAnswer, HttpRequest, Platform, Socket, SocketEvents } from "./platform.ts";
import { MemoryStorage, type Storage } from "./storage.ts";

/** What is used of the global object, for the client compiles without the DOM's types. */
interface World {
  fetch(url: string, request: HttpRequest & { credentials: string; cache: string }): Promise<HttpAnswer>;
  WebSocket?: new (url: string, protocol: string) => WebSocketLike;
  setTimeout(action: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
  crypto: { randomUUID?(): string; getRandomValues(bytes: Uint8Array): Uint8Array };
  document?: { visibilityState: string };
  navigator?: { locks?: { request<T>(name: string, action: () => Promise<T>): Promise<T> } };
  BroadcastChannel?: new (name: string) => BroadcastLike;
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

export function standardPlatform(storage: Storage): Platform {
  return {
    request: (url, request) => world.fetch(url, { ...request, credentials: "same-origin", cache: "no-store" }),
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
