/**
 * What goes on while one is signed in: one connection, the rooms that are followed and the messages that are still
 * owed to the server. It knows nothing of pages.
 */

import type { Platform } from "../platform.ts";
import type {
  AckFrame, ChosenPresence, ErrorFrame, EventPage, FileRef, Id, NewMessage, PresenceFrame, ReadFrame, ReadyFrame, RoomAddedFrame, RoomEvent,
  ReportsFrame, RoomRemovedFrame, Seq, ServerFrame, SubscribedFrame, TypingFrame, UnsubscribedFrame, UserFrame,
} from "../protocol.ts";
import { isKnown } from "../protocol.ts";
import { Refusal } from "../refusal.ts";
import { fullJitter } from "./backoff.ts";
import { Connection, type Door, type Status } from "./connection.ts";
import type { Position } from "./delivery.ts";
import { Outbox, type OutboxEntry } from "./outbox.ts";
import { type FollowOptions, Subscriptions } from "./subscriptions.ts";

export interface LiveEvents {
  status(status: Status): void;
  /** A socket is ready; rooms may have been joined or left elsewhere meanwhile. */
  ready(frame: ReadyFrame): void;
  /** What was missed, in order. After `frame.reset`, what was known before no longer counts. */
  snapshot(frame: SubscribedFrame, events: RoomEvent[]): void;
  event(event: RoomEvent): void;
  unsubscribed(frame: UnsubscribedFrame): void;
  /** The list of one's rooms is another one: by another device, or by somebody else. */
  roomAdded(frame: RoomAddedFrame): void;
  roomRemoved(frame: RoomRemovedFrame): void;
  /** Somebody is called something else, or is up to something else. */
  userChanged(frame: UserFrame): void;
  /** So many reports of a room wait for its moderators. */
  reports(frame: ReportsFrame): void;
  /** A room cannot be followed, and is not any more; of an archived one: until it is opened again. */
  refused(room: Id, refusal: Refusal): void;
  presence(frame: PresenceFrame): void;
  typing(frame: TypingFrame): void;
  read(frame: ReadFrame): void;
  /** What of a room is not yet stored has changed. */
  outbox(room: Id): void;
}

/** What a live connection asks over HTTP. */
export interface LiveDoor extends Door {
  events(room: Id, after: Seq, limit: number): Promise<EventPage>;
}

/** A message to be sent, with files that were uploaded before: what they are is shown until the server has it. */
export interface OutgoingMessage extends Omit<NewMessage, "files"> {
  files?: readonly FileRef[];
}

/** A message that is being sent. */
export interface Sending {
  client_id: string;
  /** Resolves once it is kept for the next time that the program starts. */
  kept: Promise<void>;
  /** Resolves with its place; rejects with a `Refusal` if it is refused for good or thrown away. */
  stored: Promise<{ seq: Seq }>;
}

interface Waiting {
  resolve(stored: { seq: Seq }): void;
  reject(refusal: Refusal): void;
}

/** How long an ack may take before it is sent again. */
const ackWithinMs = 15_000;
const typingEveryMs = 3_000;

export class Live {
  readonly connection: Connection;
  private readonly subscriptions: Subscriptions;
  private readonly outbox: Outbox;
  /** Who waits for a message to be stored. */
  private readonly waiting = new Map<string, Waiting>();
  private readonly lastTyping = new Map<Id, number>();
  /** Of each room that waits for an ack: how to stop doubting it. */
  private readonly doubts = new Map<Id, () => void>();
  private refusals = 0;
  /** How many events came of which only a later version knows what they mean; their places count. */
  unknownEvents = 0;

  constructor(
    private readonly platform: Platform,
    door: LiveDoor,
    user: Id,
    private readonly events: LiveEvents,
  ) {
    this.outbox = new Outbox(platform.storage, user);
    this.connection = new Connection(platform, door, {
      status: (status) => events.status(status),
      ready: (frame) => this.ready(frame),
      frame: (frame) => {
        this.received(frame);
        this.settle();
      },
      lost: () => this.lost(),
    });
    this.subscriptions = new Subscriptions(
      platform,
      (frame) => this.connection.send(frame),
      (room, after, limit) => door.events(room, after, limit),
      {
        snapshot: (frame, missed) => this.snapshot(frame, missed),
        live: (event) => this.delivered(event),
        refused: (room, refusal) => events.refused(room, refusal),
      },
    );
  }

  /** Connects, and takes up what an earlier program could not send. */
  start(): void {
    this.connection.start();
    this.outbox.load().then(
      (rooms) => {
        for (const room of rooms) this.changed(room);
      },
      () => undefined,
    );
  }

  /** Leaves. What is not stored yet is kept. */
  stop(): void {
    this.connection.stop();
  }

  /** Follows a room that one is a member of, from now on and over every loss of the connection. */
  follow(room: Id, options?: FollowOptions): void {
    this.subscriptions.follow(room, options);
  }

  unfollow(room: Id): void {
    this.subscriptions.unfollow(room);
  }

  /** The newest seq of a followed room that was delivered. */
  head(room: Id): Seq {
    return this.subscriptions.head(room);
  }

  /** Where a followed room can be gone on with another time. */
  position(room: Id): Position | undefined {
    return this.subscriptions.position(room);
  }

  /** Takes a message: from here on it is sent until the server answers, whatever happens to the connection. */
  send(room: Id, message: string | OutgoingMessage): Sending {
    const { client_id = this.platform.uuid(), ...content } = typeof message === "string" ? { body: message } : message;
    const stored = new Promise<{ seq: Seq }>((resolve, reject) => this.waiting.set(client_id, { resolve, reject }));
    // Who does not ask is not told: a refusal is in the outbox too.
    stored.catch(() => undefined);
    const kept = this.outbox.add({ ...content, client_id, room, at: new Date(this.platform.now()).toISOString() });
    this.lastTyping.delete(room);
    this.changed(room);
    return { client_id, kept, stored };
  }

  /** The messages of a room that have no event yet. */
  unsent(room: Id): OutboxEntry[] {
    return this.outbox.of(room);
  }

  sendAgain(client_id: string): void {
    const room = this.outbox.retry(client_id);
    if (room !== undefined) this.changed(room);
  }

  /** What is left of a message whose files are gone. */
  sendWithoutFiles(client_id: string): void {
    const room = this.outbox.retryWithoutFiles(client_id);
    if (room !== undefined) this.changed(room);
  }

  discard(client_id: string): void {
    const room = this.outbox.remove(client_id);
    this.waiting.get(client_id)?.reject(new Refusal({ code: "discarded", message: "the message was thrown away" }));
    this.waiting.delete(client_id);
    if (room !== undefined) this.changed(room);
  }

  /** False when there is no connection to say it on; it may be said over HTTP then. */
  markRead(room: Id, seq: Seq): boolean {
    return this.connection.send({ type: "read", room, seq });
  }

  setPresence(state: ChosenPresence): void {
    this.connection.send({ type: "presence", state });
  }

  /** Tells that its user is writing, as seldom as it counts. */
  typing(room: Id): void {
    const now = this.platform.now();
    if (now - (this.lastTyping.get(room) ?? 0) < typingEveryMs) return;
    this.lastTyping.set(room, now);
    this.connection.send({ type: "typing", room, on: true });
  }

  stoppedTyping(room: Id): void {
    if (this.lastTyping.delete(room)) this.connection.send({ type: "typing", room, on: false });
  }

  /** The session has a new access token: the socket lives on with it, or is replaced where it cannot be told. */
  renewed(token: string | undefined): void {
    if (token === undefined || !this.connection.send({ type: "refresh", token })) this.connection.handOver();
  }

  private ready(frame: ReadyFrame): void {
    this.subscriptions.ready();
    this.events.ready(frame);
    this.settle();
  }

  /** A socket is left for good only once everything goes on at the next one. */
  private settle(): void {
    if (this.connection.moving && this.subscriptions.complete) this.connection.moved();
  }

  private lost(): void {
    this.subscriptions.lost();
    this.outbox.disconnected();
    for (const room of [...this.doubts.keys()]) this.trust(room);
  }

  private received(frame: ServerFrame): void {
    switch (frame.type) {
      case "event":
        return this.subscriptions.event(frame);
      case "subscribed":
        return this.subscriptions.subscribed(frame);
      case "unsubscribed":
        if (frame.reason === "archived") this.subscriptions.rest(frame.room);
        else this.subscriptions.forget(frame.room);
        return this.events.unsubscribed(frame);
      case "room_added":
        this.subscriptions.wake(frame.room);
        return this.events.roomAdded(frame);
      case "room_removed":
        return this.events.roomRemoved(frame);
      case "user":
        return this.events.userChanged(frame);
      case "reports":
        return this.events.reports(frame);
      case "ack":
        return this.acked(frame);
      case "error":
        return this.refused(frame);
      case "pong":
        return this.subscriptions.pong(frame);
      case "presence":
        return this.events.presence(frame);
      case "typing":
        return this.events.typing(frame);
      case "read":
        return this.events.read(frame);
      default:
    }
  }

  private snapshot(frame: SubscribedFrame, missed: RoomEvent[]): void {
    for (const event of missed) this.seen(event);
    this.outbox.settle(frame.room, frame.head);
    this.events.snapshot(frame, missed.filter((event) => this.understood(event)));
    this.changed(frame.room);
  }

  private delivered(event: RoomEvent): void {
    const ours = this.seen(event);
    if (this.understood(event)) this.events.event(event);
    if (ours) this.changed(event.room);
  }

  private understood(event: RoomEvent): boolean {
    const known = isKnown(event);
    if (!known) this.unknownEvents += 1;
    return known;
  }

  /** Whether the event is a message of our outbox, which has then arrived. */
  private seen(event: RoomEvent): boolean {
    if (event.kind !== "message" || typeof event.client_id !== "string") return false;
    if (this.outbox.remove(event.client_id) === undefined) return false;
    this.stored(event.room, event.client_id, event.seq);
    return true;
  }

  private stored(room: Id, client_id: string, seq: Seq): void {
    this.trust(room);
    this.waiting.get(client_id)?.resolve({ seq });
    this.waiting.delete(client_id);
  }

  private acked(frame: AckFrame): void {
    this.refusals = 0;
    const client_id = frame.client_id ?? frame.id;
    if (client_id === undefined || client_id === null || !this.outbox.has(client_id)) return;
    this.outbox.acked(client_id, frame.seq);
    this.outbox.settle(frame.room, this.subscriptions.head(frame.room));
    this.stored(frame.room, client_id, frame.seq);
    this.changed(frame.room);
  }

  private refused(frame: ErrorFrame): void {
    const refusal = new Refusal(frame, frame.retry_after_ms);
    if (this.subscriptions.error(frame.id, refusal) || frame.id === undefined || !this.outbox.has(frame.id)) return;
    if (refusal.passing) return this.sendLater(frame.id, refusal);
    const room = this.outbox.fail(frame.id, refusal.code);
    this.waiting.get(frame.id)?.reject(refusal);
    this.waiting.delete(frame.id);
    if (room !== undefined) this.changed(room);
  }

  /** It stays under way meanwhile, so that what was written after it waits behind it. */
  private sendLater(client_id: string, refusal: Refusal): void {
    this.refusals += 1;
    const ms = refusal.retryAfterMs ?? 500 + fullJitter(this.refusals, () => this.platform.random());
    this.platform.after(ms, () => this.sendAgain(client_id));
  }

  private changed(room: Id): void {
    this.events.outbox(room);
    this.flush(room);
  }

  private flush(room: Id): void {
    if (!this.subscriptions.isLive(room)) return;
    const entry = this.outbox.due(room);
    if (entry === undefined) return;
    const { client_id, body, reply_to, thread, files } = entry;
    const more = { reply_to, thread, files: files?.map((file) => file.id) };
    if (!this.connection.send({ type: "send", id: client_id, room, client_id, body, ...more })) return;
    this.outbox.sent(client_id);
    this.events.outbox(room);
    this.trust(room);
    this.doubts.set(room, this.platform.after(ackWithinMs, () => this.doubt(room, client_id)));
  }

  private trust(room: Id): void {
    this.doubts.get(room)?.();
    this.doubts.delete(room);
  }

  /** No answer in all this time: send it again, which stores nothing twice, and see whether the socket lives. */
  private doubt(room: Id, client_id: string): void {
    this.doubts.delete(room);
    if (!this.outbox.of(room).some((held) => held.client_id === client_id && held.state === "sent")) return;
    this.connection.probe();
    this.sendAgain(client_id);
  }
}
