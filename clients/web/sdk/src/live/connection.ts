/**
 * One lasting connection to the server: it gets a ticket, opens a socket, notices when it died, and opens the next
 * one. Not responsible for what is said over it; see `subscriptions.ts` and `client.ts`.
 */

import { CloseCode, parseFrame } from "../protocol.ts";
import type { ClientFrame, GoAwayFrame, ReadyFrame, ServerFrame, SocketTicket } from "../protocol.ts";
import { fullJitter } from "./backoff.ts";
import type { Platform, Socket } from "../platform.ts";
import { asRefusal } from "../refusal.ts";

export type Status =
  | { kind: "idle" }
  | { kind: "connecting" }
  | { kind: "live" }
  /** The next attempt is at `until`, in milliseconds since the epoch. */
  | { kind: "waiting"; until: number }
  /** The server does not want us back on our own: only a person tries again. */
  | { kind: "stopped"; code: number };

export interface ConnectionEvents {
  status(status: Status): void;
  /** A socket is ready: the first, or one in the place of another. Nothing is subscribed on it yet. */
  ready(frame: ReadyFrame): void;
  frame(frame: ServerFrame): void;
  /** The socket is gone; what was sent on it may not have arrived. */
  lost(): void;
}

export interface Door {
  ticket(): Promise<SocketTicket>;
  /** A new access token. False when the session is over. */
  renew(): Promise<boolean>;
}

/** A close that a client mends by coming back. 1005 and 1006 are what a lost connection looks like. */
const passingCloses = new Set<number>([
  CloseCode.goingAway, 1005, 1006, CloseCode.internal, 1012, 1013, CloseCode.tooSlow,
]);

/** How long a ticket may take to come, and an opened socket to say `ready`. */
const readyWithinMs = 5_000;
/** A socket that is silent for so long is asked for a sign of life while somebody looks; else with the heartbeat. */
const quietMs = 2_000;
/** How long a server may take to answer that. Somebody who looks waits no more than 6 s for a server that is stopped. */
const answerWithinMs = 3_000;
/** How long a socket that was left is listened to while the rooms are resumed on the next one. */
const leaveWithinMs = 5_000;
const defaultHeartbeatS = 25;

export class Connection {
  private status: Status = { kind: "idle" };
  /** The socket in use; frames of any other one are ignored. */
  private current: Link | undefined;
  /** The socket being opened, perhaps while `current` still works. */
  private opening: Link | undefined;
  /** The socket that was left for `current`, still heard until the rooms are resumed there. */
  private leaving: Link | undefined;
  /** Where to connect next, if the server named a place. */
  private elsewhere: string | undefined;
  private attempt = 0;
  private cancelTimer: () => void = () => {};
  private cancelLeaving: () => void = () => {};
  /** Grows with each start and stop, so that an answer which comes too late is known by its number. */
  private generation = 0;

  constructor(
    private readonly platform: Platform,
    private readonly door: Door,
    private readonly events: ConnectionEvents,
  ) {}

  start(): void {
    if (this.status.kind === "idle") this.connect();
  }

  stop(): void {
    this.generation += 1;
    this.cancelTimer();
    this.drop();
    this.enter({ kind: "idle" });
  }

  /** A person asks for it: tries at once, also where the server wanted us to stay away. */
  retryNow(): void {
    if (this.status.kind === "waiting" || this.status.kind === "stopped") this.connect();
  }

  /** Something happened to the network or the page: asks for a sign of life, or tries at once to come back. */
  probe(): void {
    if (this.current !== undefined) this.current.ping();
    else if (this.status.kind === "waiting") this.connect();
  }

  /** Opens a second socket and leaves the first once it is ready: the token was renewed, or the node goes away. */
  handOver(): void {
    if (this.current !== undefined && this.opening === undefined) this.connect();
  }

  /** Whether a socket that was left is still heard. */
  get moving(): boolean {
    return this.leaving !== undefined;
  }

  /** Every room is resumed on the socket in use: the one that was left has nothing more to say. */
  moved(): void {
    this.cancelLeaving();
    this.leaving?.close();
    this.leaving = undefined;
  }

  /** False when there is no socket to send on. */
  send(frame: ClientFrame): boolean {
    if (this.current === undefined) return false;
    this.current.send(frame);
    return true;
  }

  private connect(): void {
    this.cancelTimer();
    this.generation += 1;
    const generation = this.generation;
    if (this.current === undefined) this.enter({ kind: "connecting" });
    // A server that is stopped takes the question and never answers it.
    this.cancelTimer = this.platform.after(readyWithinMs, () => {
      this.generation += 1;
      this.wait();
    });
    this.door.ticket().then(
      (ticket) => {
        if (generation !== this.generation) return;
        this.cancelTimer();
        this.open(ticket);
      },
      (thrown: unknown) => {
        if (generation !== this.generation) return;
        this.cancelTimer();
        const refused = asRefusal(thrown);
        if (refused.code === "unauthenticated") this.stopped(CloseCode.unauthenticated);
        else this.wait(refused.retryAfterMs);
      },
    );
  }

  private open(ticket: SocketTicket): void {
    this.opening?.close();
    const place = this.elsewhere ?? ticket.url;
    this.elsewhere = undefined;
    const url = `${place}${place.includes("?") ? "&" : "?"}ticket=${encodeURIComponent(ticket.ticket)}`;
    const link = new Link(this.platform, url, ticket.protocol, {
      frame: (frame) => this.received(link, frame),
      closed: (code) => this.closed(link, code),
    });
    this.opening = link;
  }

  private received(link: Link, frame: ServerFrame): void {
    if (frame.type === "ready" && link === this.opening) {
      this.moved();
      this.leaving = this.current;
      this.opening = undefined;
      this.current = link;
      this.attempt = 0;
      if (this.leaving !== undefined) {
        this.cancelLeaving = this.platform.after(leaveWithinMs, () => this.moved());
        this.events.lost();
      }
      this.enter({ kind: "live" });
      this.events.ready(frame);
      return;
    }
    // What the server still owes on the socket that was left comes there.
    if (link === this.leaving && (frame.type === "event" || frame.type === "ack")) this.events.frame(frame);
    if (link !== this.current) return;
    if (frame.type === "goaway") this.goAway(frame);
    else this.events.frame(frame);
  }

  /** The old socket works until the new one is ready; the spread that the server asks for keeps clients apart. */
  private goAway(frame: GoAwayFrame): void {
    this.cancelTimer();
    this.elsewhere = frame.url ?? undefined;
    this.cancelTimer = this.platform.after(frame.reconnect_after_ms, () => this.handOver());
  }

  private closed(link: Link, code: number): void {
    if (link === this.leaving) return this.moved();
    if (link === this.opening) {
      this.opening = undefined;
      // With a working socket a failed handover is not yet a loss, but it is tried again.
      if (passingCloses.has(code) || this.current !== undefined) this.wait();
      else this.ended(code);
      return;
    }
    if (link !== this.current) return;
    this.current = undefined;
    this.events.lost();
    if (this.opening !== undefined) this.enter({ kind: "connecting" });
    else this.ended(code);
  }

  private ended(code: number): void {
    if (code === CloseCode.unauthenticated) this.renew();
    else if (passingCloses.has(code)) this.wait();
    else this.stopped(code);
  }

  /** The socket outlived its access token, or the session was revoked: only a refresh tells which. */
  private renew(): void {
    this.generation += 1;
    const generation = this.generation;
    this.enter({ kind: "connecting" });
    this.door.renew().then(
      (renewed) => {
        if (generation !== this.generation) return;
        if (renewed) this.wait();
        else this.stopped(CloseCode.unauthenticated);
      },
      () => {
        if (generation === this.generation) this.wait();
      },
    );
  }

  private wait(atLeastMs = 0): void {
    this.cancelTimer();
    const ms = Math.max(atLeastMs, fullJitter(this.attempt, () => this.platform.random()));
    this.attempt += 1;
    if (this.current === undefined) this.enter({ kind: "waiting", until: this.platform.now() + ms });
    this.cancelTimer = this.platform.after(ms, () => this.connect());
  }

  private stopped(code: number): void {
    this.drop();
    this.enter({ kind: "stopped", code });
  }

  private drop(): void {
    this.moved();
    this.opening?.close();
    this.opening = undefined;
    if (this.current === undefined) return;
    this.current.close();
    this.current = undefined;
    this.events.lost();
  }

  private enter(status: Status): void {
    this.status = status;
    this.events.status(status);
  }
}

/** One socket with its heartbeat. Its end is told once, also when it is we who give it up. */
class Link {
  private readonly socket: Socket;
  private cancelTimer: () => void;
  private heartbeatMs = defaultHeartbeatS * 1000;
  /** When the server said something last, and when it was asked to. */
  private heardAt: number;
  private askedAt: number;
  /** Whether an answer is due. */
  private waits = true;
  private over = false;

  constructor(
    private readonly platform: Platform,
    url: string,
    protocol: string,
    private readonly tell: { frame(frame: ServerFrame): void; closed(code: number): void },
  ) {
    this.heardAt = this.askedAt = platform.now();
    this.cancelTimer = platform.after(readyWithinMs, () => this.giveUp());
    this.socket = platform.openSocket(url, protocol, {
      opened: () => {},
      message: (text) => this.received(text),
      closed: (code) => this.ended(code),
    });
  }

  send(frame: ClientFrame): void {
    this.socket.send(JSON.stringify(frame));
  }

  /** Asks for a pong; silence after it is the end of the socket. */
  ping(): void {
    this.cancelTimer();
    this.askedAt = this.platform.now();
    this.waits = true;
    this.send({ type: "ping" });
    this.cancelTimer = this.platform.after(answerWithinMs, () => this.giveUp());
  }

  /** Leaves without a word to whoever listened. */
  close(): void {
    this.over = true;
    this.cancelTimer();
    this.socket.close(CloseCode.normal);
  }

  private received(text: string): void {
    if (this.over) return;
    const frame = parseFrame(text);
    if (frame === undefined) return;
    if (frame.type === "ready") this.heartbeatMs = (frame.heartbeat_s || defaultHeartbeatS) * 1000;
    this.heardAt = this.platform.now();
    if (this.waits) this.rest();
    this.tell.frame(frame);
  }

  /** It lives: looks again when it could have been silent for too long. */
  private rest(): void {
    this.waits = false;
    this.cancelTimer();
    const ms = Math.max(0, this.askAt() - this.platform.now());
    this.cancelTimer = this.platform.after(ms, () => (this.askAt() > this.platform.now() ? this.rest() : this.ping()));
  }

  /** A socket that speaks all the time is asked too, but seldom: a pong names the heads of the rooms. */
  private askAt(): number {
    const quiet = this.platform.watched() ? Math.min(quietMs, this.heartbeatMs) : this.heartbeatMs;
    return Math.min(this.heardAt + quiet, this.askedAt + this.heartbeatMs);
  }

  private giveUp(): void {
    this.socket.close(CloseCode.normal);
    this.ended(1006);
  }

  private ended(code: number): void {
    if (this.over) return;
    this.over = true;
    this.cancelTimer();
    this.tell.closed(code);
  }
}
