/**
 * What the connection needs of the world it runs in. The browser gives it in `src/browser.ts`, a test gives its own;
 * nothing else of this folder may name `window`, `fetch`, `WebSocket` or `setTimeout`.
 */

export interface HttpAnswer {
  status: number;
  headers: { get(name: string): string | null };
  text(): Promise<string>;
}

export interface HttpRequest {
  method: string;
  headers: Record<string, string>;
  body?: string;
}

/** An open (or opening) socket. */
export interface Socket {
  send(text: string): void;
  close(code?: number, reason?: string): void;
}

/** What a socket tells. `closed` is called once, last. */
export interface SocketEvents {
  opened(): void;
  message(text: string): void;
  closed(code: number, reason: string): void;
}

/** Named texts that outlive the page. */
export interface KeyValue {
  get(key: string): string | null;
  set(key: string, value: string): void;
  remove(key: string): void;
  keys(): string[];
}

export interface Platform {
  /** Rejects when no answer came at all. */
  request(path: string, request: HttpRequest): Promise<HttpAnswer>;
  openSocket(url: string, protocol: string, events: SocketEvents): Socket;
  /** Runs `action` once after `ms`; the answer cancels it. */
  after(ms: number, action: () => void): () => void;
  /** Whether somebody may be looking: a server that falls silent is then noticed sooner. */
  watched(): boolean;
  /** Milliseconds since the epoch. */
  now(): number;
  /** From 0 up to, not including, 1. */
  random(): number;
  uuid(): string;
  storage: KeyValue;
}
