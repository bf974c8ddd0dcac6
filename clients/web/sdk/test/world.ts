/** A world for the connection to run in: time that a test moves, sockets that a test answers for, storage that lasts. */

import type { Channel, HttpAnswer, HttpRequest, Platform, SocketEvents, UploadRequest } from "../src/platform.ts";
import type { ClientFrame, MessageEvent, ServerFrame } from "../src/protocol.ts";
import { MemoryStorage, type Storage } from "../src/storage.ts";

export const room = "room-1";
export const me = { id: "user-me", username: "me", display_name: "Me" };
export const other = { id: "user-other", username: "other", display_name: "Other" };

export function message(seq: number, extra: Partial<MessageEvent> = {}): MessageEvent {
  return {
    kind: "message", room, seq, id: `event-${seq}`, n: seq, at: "2026-11-22T07:15:00.000Z", user: other, body: `body ${seq}`,
    ...extra,
  };
}

/** A socket as its server sees it. */
export class ServerSide {
  readonly received: ClientFrame[] = [];
  open = true;

  constructor(readonly url: string, private readonly events: SocketEvents) {}

  say(frame: ServerFrame): void {
    if (this.open) this.events.message(JSON.stringify(frame));
  }

  ready(): void {
    this.say({ type: "ready", connection: "c", user: me, node: "n", heartbeat_s: 25 });
  }

  close(code: number): void {
    if (!this.open) return;
    this.open = false;
    this.events.closed(code, "");
  }

  of<T extends ClientFrame["type"]>(type: T): Extract<ClientFrame, { type: T }>[] {
    return this.received.filter((frame): frame is Extract<ClientFrame, { type: T }> => frame.type === type);
  }
}

/** What the tabs of one browser share. */
export class Browser {
  readonly storage: Storage = new MemoryStorage();
  readonly ears = new Set<(message: unknown) => void>();
  turn: Promise<unknown> = Promise.resolve();
}

export class World implements Platform {
  readonly sockets: ServerSide[] = [];
  private clock = Date.parse("2026-11-22T07:00:00.000Z");
  private timers: { at: number; action: () => void }[] = [];
  private made = 0;
  /** Answers HTTP; a test puts its own in its place. */
  answer: (path: string, request: HttpRequest) => { status: number; body?: unknown } = () => ({ status: 404 });

  readonly storage: Storage;

  constructor(storage?: Storage, private readonly browser = new Browser()) {
    this.storage = storage ?? browser.storage;
  }

  alone<T>(_name: string, action: () => Promise<T>): Promise<T> {
    const turn = this.browser.turn.catch(() => undefined).then(action);
    this.browser.turn = turn;
    return turn;
  }

  channel(_name: string, heard: (message: unknown) => void): Channel {
    this.browser.ears.add(heard);
    return {
      tell: (message) => {
        for (const ear of this.browser.ears) if (ear !== heard) ear(message);
      },
      close: () => void this.browser.ears.delete(heard),
    };
  }

  async request(path: string, request: HttpRequest): Promise<HttpAnswer> {
    const { status, body } = this.answer(path, request);
    const text = body === undefined ? "" : JSON.stringify(body);
    const arrayBuffer = async () => new TextEncoder().encode(text).buffer;
    return { status, headers: { get: () => null }, text: async () => text, arrayBuffer };
  }

  upload(path: string, { headers }: UploadRequest): Promise<HttpAnswer> {
    return this.request(path, { method: "POST", headers });
  }

  openSocket(url: string, _protocol: string, events: SocketEvents) {
    const side = new ServerSide(url, events);
    this.sockets.push(side);
    return {
      send: (text: string) => void (side.open && side.received.push(JSON.parse(text) as ClientFrame)),
      close: () => void (side.open = false),
    };
  }

  after(ms: number, action: () => void): () => void {
    const timer = { at: this.clock + ms, action };
    this.timers.push(timer);
    return () => void (this.timers = this.timers.filter((other) => other !== timer));
  }

  watching = true;
  watched = () => this.watching;
  now = () => this.clock;
  random = () => 0.5;
  uuid = () => `client-${++this.made}`;

  /** Lets time pass, with whatever is due in it, in order. */
  async pass(ms: number): Promise<void> {
    const until = this.clock + ms;
    for (;;) {
      await settle();
      const next = this.timers.filter((timer) => timer.at <= until).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.timers = this.timers.filter((timer) => timer !== next);
      this.clock = Math.max(this.clock, next.at);
      next.action();
    }
    this.clock = until;
  }

  get socket(): ServerSide {
    const last = this.sockets.at(-1);
    if (last === undefined) throw new Error("no socket was opened");
    return last;
  }
}

/** Lets every promise that can go on do so. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
