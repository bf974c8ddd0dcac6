/**
 * A signed-in client: one connection, the rooms it follows and the messages it still owes the server. This is what
 * a program holds; it knows nothing of pages.
 */

import type {
  AckFrame, ChosenPresence, ErrorFrame, Id, PresenceFrame, ReadFrame, RoomEvent, Seq, ServerFrame, SubscribedFrame,
  TypingFrame, UnsubscribedFrame,
} from "../protocol";
import { isKnown } from "../protocol";
import { fullJitter } from "./backoff";
import { Connection, type Door, type Status } from "./connection";
import { Outbox, type OutboxEntry } from "./outbox";
import type { Platform } from "./platform";
import { Refusal } from "./refusal";
import { Subscriptions } from "./subscriptions";

export interface ClientEvents {
  status(status: Status): void;
  /** A socket is ready; rooms may have been joined or left elsewhere meanwhile. */
  ready(): void;
  /** What was missed, in order. After `frame.reset`, what was shown before no longer counts. */
  snapshot(frame: SubscribedFrame, events: RoomEvent[]): void;
  event(event: RoomEvent): void;
  unsubscribed(frame: UnsubscribedFrame): void;
  refused(room: Id, refusal: Refusal): void;
  presence(frame: PresenceFrame): void;
  typing(frame: TypingFrame): void;
  read(frame: ReadFrame): void;
  /** What of a room is not yet stored has changed. */
  outbox(room: Id): void;
}

/** How long an ack may take before it is sent again. */
const ackWithinMs = 15_000;
const typingEveryMs = 3_000;

export class Client {
  readonly connection: Connection;
  private readonly subscriptions: Subscriptions;
  private readonly outbox: Outbox;
  private readonly lastTyping = new Map<Id, number>();
  private refusals = 0;
  /** How many events came of which only a later version knows what they mean; their places count. */
  unknownEvents = 0;

  constructor(
    private readonly platform: Platform,
    door: Door,
    user: Id,
    private readonly events: ClientEvents,
  ) {
    this.outbox = new Outbox(platform.storage, user);
    this.connection = new Connection(platform, door, {
      status: (status) => events.status(status),
      ready: () => this.ready(),
      frame: (frame) => {
        this.received(frame);
        this.settle();
      },
      lost: () => this.lost(),
    });
    this.subscriptions = new Subscriptions(platform, (frame) => this.connection.send(frame), {
      snapshot: (frame, missed) => this.snapshot(frame, missed),
      live: (event) => this.delivered(event),
      refused: (room, refusal) => events.refused(room, refusal),
    });
  }

  follow(room: Id): void {
    this.subscriptions.follow(room);
  }

  unfollow(room: Id): void {
    this.subscriptions.unfollow(room);
  }

  /** The newest seq of a followed room that was delivered. */
  head(room: Id): Seq {
    return this.subscriptions.head(room);
  }

  /** Takes a message: from here on it is sent until the server answers, whatever happens to the connection. */
  write(room: Id, body: string): void {
    const entry = { client_id: this.platform.uuid(), room, body, at: new Date(this.platform.now()).toISOString() };
    this.outbox.add(entry);
    this.lastTyping.delete(room);
    this.events.outbox(room);
    this.flush(room);
  }

  /** The messages of a room that have no event yet. */
  unsent(room: Id): OutboxEntry[] {
    return this.outbox.of(room);
  }

  sendAgain(client_id: string): void {
    const room = this.outbox.retry(client_id);
    if (room !== undefined) this.changed(room);
  }

  discard(client_id: string): void {
    const room = this.outbox.remove(client_id);
    if (room !== undefined) this.changed(room);
  }

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

  private ready(): void {
    this.subscriptions.ready();
    this.events.ready();
    this.settle();
  }

  /** A socket is left for good only once everything goes on at the next one. */
  private settle(): void {
    if (this.connection.moving && this.subscriptions.complete) this.connection.moved();
  }

  private lost(): void {
    this.subscriptions.lost();
    this.outbox.disconnected();
  }

  private received(frame: ServerFrame): void {
    switch (frame.type) {
      case "event":
        return this.subscriptions.event(frame);
      case "subscribed":
        return this.subscriptions.subscribed(frame);
      case "unsubscribed":
        this.subscriptions.forget(frame.room);
        return this.events.unsubscribed(frame);
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
    this.events.outbox(frame.room);
    this.flush(frame.room);
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
    return this.outbox.remove(event.client_id) !== undefined;
  }

  private acked(frame: AckFrame): void {
    this.refusals = 0;
    const client_id = frame.client_id ?? frame.id;
    if (client_id === undefined || client_id === null || !this.outbox.has(client_id)) return;
    this.outbox.acked(client_id, frame.seq);
    this.outbox.settle(frame.room, this.subscriptions.head(frame.room));
    this.changed(frame.room);
  }

  private refused(frame: ErrorFrame): void {
    const refusal = new Refusal(frame, frame.retry_after_ms);
    if (this.subscriptions.error(frame.id, refusal) || frame.id === undefined || !this.outbox.has(frame.id)) return;
    if (refusal.passing) this.sendLater(frame.id, refusal);
    else {
      const room = this.outbox.fail(frame.id, refusal.code);
      if (room !== undefined) this.changed(room);
    }
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
    const { client_id, body, reply_to } = entry;
    const reply = reply_to === undefined ? {} : { reply_to };
    if (!this.connection.send({ type: "send", id: client_id, room, client_id, body, ...reply })) return;
    this.outbox.sent(client_id);
    this.events.outbox(room);
    this.platform.after(ackWithinMs, () => this.doubt(room, client_id));
  }

  /** No answer in all this time: send it again, which stores nothing twice, and see whether the socket lives. */
  private doubt(room: Id, client_id: string): void {
    if (!this.outbox.of(room).some((held) => held.client_id === client_id && held.state === "sent")) return;
    this.connection.probe();
    this.sendAgain(client_id);
  }
}
