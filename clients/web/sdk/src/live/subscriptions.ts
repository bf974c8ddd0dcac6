/**
 * Which rooms we follow, and how far we have come in each: it subscribes, resumes, and fills gaps, so that every
 * event of a followed room comes out once and in order. It keeps no events.
 */

import type { Platform } from "../platform.ts";
import type { ClientFrame, EventFrame, EventPage, Id, PongFrame, RoomEvent, Seq, SubscribedFrame } from "../protocol.ts";
import { asRefusal, Refusal } from "../refusal.ts";
import { fullJitter } from "./backoff.ts";
import { Delivery, type Position } from "./delivery.ts";

export interface SubscriptionEvents {
  /** A room is followed again; `events` are what was missed, or all that there is after a `reset`. */
  snapshot(frame: SubscribedFrame, events: RoomEvent[]): void;
  live(event: RoomEvent): void;
  /** The room cannot be followed, and is not any more; of an archived one: until it is opened again. */
  refused(room: Id, refusal: Refusal): void;
}

/** How to follow a room. */
export interface FollowOptions {
  /** Where to go on from: what the program kept of an earlier time. */
  from?: Position;
  /** How many of the latest events to begin with, where `from` is not given: none, unless told; at most 200. */
  latest?: number;
  /**
   * Whether every event is wanted, however many were missed: what a socket does not give (more than 500) is then read
   * over HTTP. Without it a `reset` says that there is a hole.
   */
  complete?: boolean;
}

interface Following {
  delivery: Delivery;
  readonly options: FollowOptions;
  /** `due` to be asked for · `asked` · `filling` by HTTP · `live` · `resting` while the room is archived. */
  state: "due" | "asked" | "filling" | "live" | "resting";
  /** Names the frame that was asked with last: an older answer is not the one we wait for. */
  ask: string;
  refusals: number;
  /** The log is not the one that was read: the next snapshot starts anew, also where every event is wanted. */
  isOther: boolean;
}

/** The server takes 20 frames a second after the first 60; most of them are left for other things. */
const burst = 30;
const paceMs = 100;
/** How many events are read at once over HTTP, the most that the server gives. */
const fillPage = 200;

export class Subscriptions {
  private readonly rooms = new Map<Id, Following>();
  private connected = false;
  private asks = 0;
  private tokens = burst;
  private cancelPace: (() => void) | undefined;

  constructor(
    private readonly platform: Platform,
    private readonly send: (frame: ClientFrame) => boolean,
    private readonly read: (room: Id, after: Seq, limit: number) => Promise<EventPage>,
    private readonly events: SubscriptionEvents,
  ) {}

  follow(room: Id, options: FollowOptions = {}): void {
    if (this.rooms.has(room)) return;
    const delivery = new Delivery(options.from);
    this.rooms.set(room, { delivery, options, state: "due", ask: "", refusals: 0, isOther: false });
    this.pump();
  }

  unfollow(room: Id): void {
    if (this.rooms.delete(room) && this.connected) this.send({ type: "unsubscribe", room });
  }

  /** The server has ended it already. */
  forget(room: Id): void {
    this.rooms.delete(room);
  }

  /** The room is archived: nothing happens there. It is gone on with where it stood once it is opened again. */
  rest(room: Id): void {
    const following = this.rooms.get(room);
    if (following !== undefined) following.state = "resting";
  }

  wake(room: Id): void {
    const following = this.rooms.get(room);
    if (following?.state === "resting") this.resume(following);
  }

  isLive(room: Id): boolean {
    return this.rooms.get(room)?.state === "live";
  }

  /** Whether every room that is followed is live. */
  get complete(): boolean {
    return [...this.rooms.values()].every(({ state }) => state === "live" || state === "resting");
  }

  /** The newest seq that came out, or was skipped by the first snapshot. */
  head(room: Id): Seq {
    return this.rooms.get(room)?.delivery.head ?? 0;
  }

  /** Where to go on from another time; undefined before the first snapshot. */
  position(room: Id): Position | undefined {
    return this.rooms.get(room)?.delivery.position;
  }

  ready(): void {
    this.connected = true;
    this.tokens = burst;
    for (const following of this.rooms.values()) following.state = "due";
    this.pump();
  }

  lost(): void {
    this.connected = false;
    for (const following of this.rooms.values()) following.state = "due";
  }

  subscribed(frame: SubscribedFrame): void {
    const following = this.rooms.get(frame.room);
    if (following === undefined || (frame.id !== undefined && frame.id !== following.ask)) return;
    if (frame.reset === true && this.mayFill(following, frame)) {
      following.delivery.skipTo(frame.first);
      return void this.fill(frame.room, following);
    }
    following.state = "live";
    following.refusals = 0;
    following.isOther = false;
    this.events.snapshot(frame, following.delivery.snapshot(frame));
  }

  event(frame: EventFrame): void {
    const following = this.rooms.get(frame.room);
    if (following === undefined || following.state === "filling" || following.state === "resting") return;
    this.take(following, frame);
  }

  /** A lost last event is found by the head that the server names. */
  pong(frame: PongFrame): void {
    for (const [room, head] of Object.entries(frame.heads ?? {})) {
      const following = this.rooms.get(room);
      if (following?.state === "live" && following.delivery.behind(head)) this.resume(following);
    }
  }

  /** Takes an error that answers one of our subscribes; false when it is not ours. */
  error(id: string | undefined, refusal: Refusal): boolean {
    if (id === undefined) return false;
    for (const [room, following] of this.rooms) {
      if (following.ask !== id) continue;
      this.refused(room, following, refusal);
      return true;
    }
    return false;
  }

  private take(following: Following, event: RoomEvent): void {
    const verdict = following.delivery.accept(event);
    if (verdict === "deliver") this.events.live(event);
    else if (verdict === "gap" && following.state === "live") this.resume(following);
  }

  private mayFill(following: Following, frame: SubscribedFrame): boolean {
    const position = following.delivery.position;
    return following.options.complete === true && !following.isOther && position !== undefined && position.after < frame.head;
  }

  /**
   * Reads what a socket does not give, until a socket can go on. What came out last is read again first, to see that
   * it is still the same: else the log is another one, and the reset was right.
   */
  private async fill(room: Id, following: Following): Promise<void> {
    following.state = "filling";
    const ask = following.ask;
    const current = () => this.rooms.get(room) === following && following.state === "filling" && following.ask === ask;
    try {
      for (;;) {
        const { after, after_id } = following.delivery.position ?? { after: 0 };
        const page = await this.read(room, after_id === undefined ? after : after - 1, fillPage);
        if (!current()) return;
        const again = page.events.find((event) => event.seq === after);
        following.isOther = after > page.head || (after_id !== undefined && again?.id !== after_id);
        if (following.isOther) break;
        for (const event of page.events) this.take(following, event);
        if (following.delivery.head >= page.head || following.delivery.head === after) break;
      }
      this.resume(following);
    } catch (thrown) {
      if (current()) this.refused(room, following, asRefusal(thrown));
    }
  }

  private refused(room: Id, following: Following, refusal: Refusal): void {
    if (refusal.passing) return this.later(following, refusal);
    if (refusal.code === "archived") this.rest(room);
    else this.rooms.delete(room);
    this.events.refused(room, refusal);
  }

  private later(following: Following, refusal: Refusal): void {
    const ask = following.ask;
    const ms = refusal.retryAfterMs ?? fullJitter(++following.refusals, () => this.platform.random());
    this.platform.after(ms, () => {
      if (following.ask === ask && (following.state === "asked" || following.state === "filling")) this.resume(following);
    });
  }

  private resume(following: Following): void {
    following.state = "due";
    this.pump();
  }

  /** Asks for the rooms that are due, at a pace that leaves the socket free for what a person does. */
  private pump(): void {
    if (!this.connected) return;
    for (const [room, following] of this.rooms) {
      if (following.state !== "due") continue;
      if (this.tokens === 0) break;
      this.tokens -= 1;
      following.ask = `s${++this.asks}`;
      following.state = "asked";
      const position = following.delivery.position ?? { limit: following.options.latest ?? 0 };
      this.send({ type: "subscribe", id: following.ask, room, ...position });
    }
    if (this.tokens < burst) this.refill();
  }

  private refill(): void {
    this.cancelPace ??= this.platform.after(paceMs, () => {
      this.cancelPace = undefined;
      this.tokens = Math.min(burst, this.tokens + 1);
      this.pump();
    });
  }
}
