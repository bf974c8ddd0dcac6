/** The browser as the platform that the connection runs on. */

import type { KeyValue, Platform, Socket, SocketEvents } from "./connection/platform";

export const browser: Platform = {
  request: (path, request) => fetch(path, { ...request, credentials: "same-origin", cache: "no-store" }),
  openSocket,
  after(ms, action) {
    const timer = setTimeout(action, ms);
    return () => clearTimeout(timer);
  },
  watched: () => document.visibilityState === "visible",
  now: () => Date.now(),
  random: () => Math.random(),
  uuid,
  storage: keyValue(),
};

function openSocket(url: string, protocol: string, events: SocketEvents): Socket {
  const socket = new WebSocket(url, protocol);
  socket.onopen = () => events.opened();
  socket.onmessage = (message) => events.message(String(message.data));
  socket.onclose = (close) => events.closed(close.code, close.reason);
  return {
    send(text) {
      if (socket.readyState === WebSocket.OPEN) socket.send(text);
    },
    close: (code, reason) => socket.close(code, reason),
  };
}

/** `randomUUID` exists only on secure origins; a page served over plain HTTP within a network makes its own. */
function uuid(): string {
  if (typeof crypto.randomUUID === "function") return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** `localStorage`, or memory where a browser forbids it: the page then works, but a reload forgets what was unsent. */
function keyValue(): KeyValue {
  const memory = new Map<string, string>();
  const inMemory: KeyValue = {
    get: (key) => memory.get(key) ?? null,
    set: (key, value) => void memory.set(key, value),
    remove: (key) => void memory.delete(key),
    keys: () => [...memory.keys()],
  };
  try {
    const storage = window.localStorage;
    return {
      get: (key) => storage.getItem(key),
      set: (key, value) => {
        try {
          storage.setItem(key, value);
        } catch {
          // The storage is full: what is kept in memory still gets sent, only a reload would lose it.
        }
      },
      remove: (key) => storage.removeItem(key),
      keys: () => Object.keys(storage),
    };
  } catch {
    return inMemory;
  }
}
