/**
 * What the client needs of the world it runs in. `standard.ts` gives it from what browsers, Node and their like have in
 * common, a test gives its own; nothing else of this folder may name `fetch`, `WebSocket` or `setTimeout`.
 */

import type { Storage } from "./storage.ts";

export interface HttpAnswer {
  status: number;
  headers: { get(name: string): string | null };
  text(): Promise<string>;
  arrayBuffer(): Promise<ArrayBuffer>;
}

export interface HttpRequest {
  method: string;
  headers: Record<string, string>;
  body?: string;
}

/** A file to send: a `File`, as browsers and Node have it. */
export interface FileSource {
  readonly name: string;
  /** In bytes. */
  readonly size: number;
  readonly type: string;
}

/** An `AbortSignal`. */
export interface Signal {
  readonly aborted: boolean;
  addEventListener(name: "abort", heard: () => void): void;
}

export interface UploadOptions {
  /** Told how much of the file is on its way, in bytes, and at the end; Node tells the end alone. */
  onProgress?(sent: number, total: number): void;
  /** Gives it up: the upload is then refused with `cancelled`. */
  signal?: Signal;
}

export interface UploadRequest extends UploadOptions {
  headers: Record<string, string>;
  file: FileSource;
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

/** A way to tell other instances over the same storage (other tabs, say). What is told may be lost. */
export interface Channel {
  tell(message: unknown): void;
  close(): void;
}

export interface Platform {
  /** Rejects when no answer came at all. */
  request(url: string, request: HttpRequest): Promise<HttpAnswer>;
  /** Posts a form whose only field, `file`, is a file. Rejects when no answer came at all, or it was given up. */
  upload(url: string, request: UploadRequest): Promise<HttpAnswer>;
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
  /** Runs `action` while nobody else who shares the storage is within one of the same name. */
  alone<T>(name: string, action: () => Promise<T>): Promise<T>;
  /** Hears what others tell under a name. */
  channel(name: string, heard: (message: unknown) => void): Channel;
  storage: Storage;
}
