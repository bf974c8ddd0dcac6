/**
 * Which rooms we follow, and how far we have come in each: it subscribes, resumes, and fills gaps, so that every
 * event of a followed room comes out once and in order. It keeps no events.
 */

import type { ClientFrame, EventFrame, Id, PongFrame, RoomEvent, Seq, SubscribedFrame } from "../protocol";
import { Delivery } from "./delivery";
import type { Platform } from "./platform";
import { Refusal } from "./refusal";
import { fullJitter } from "./backoff";

export interface SubscriptionEvents {
  /** A room is followed again; `events` are what was missed, or all that there is after a `reset`. */
  snapshot(frame: SubscribedFrame, events: RoomEvent[]): void;
  live(event: RoomEvent): void;
  /** The room cannot be followed, and is not any more. */
  refused(room: Id, refusal: Refusal): void;
}

interface Following {
  delivery: Delivery;
  /** `due` to be asked for · `asked` · `live`. */
  state: "due" | "asked" | "live";
  /** Names the frame that was asked with last: an older answer is not the one we wait for. */
  ask: string;
  refusals: number;
}

/** The server takes 20 frames a second after the first 60; most of them are left for other things. */
const burst = 30;
const paceMs = 100;

export class Subscriptions {
  private readonly rooms = new Map<Id, Following>();
  private connected = false;
  private asks = 0;
  private tokens = burst;
  private cancelPace: (() => void) | undefined;

  constructor(
    private readonly platform: Platform,
    private readonly send: (frame: ClientFrame) => boolean,
    private readonly events: SubscriptionEvents,
  ) {}

  follow(room: Id): void {
    if (this.rooms.has(room)) return;
    this.rooms.set(room, { delivery: new Delivery(), state: "due", ask: "", refusals: 0 });
    this.pump();
  }

  unfollow(room: Id): void {
    if (this.rooms.delete(room) && this.connected) this.send({ type: "unsubscribe", room });
  }

  /** The server has ended it already. */
  forget(room: Id): void {
    this.rooms.delete(room);
  }

  isLive(room: Id): boolean {
    return this.rooms.get(room)?.state === "live";
  }

  /** Whether every room that is followed is live. */
  get complete(): boolean {
    return [...this.rooms.values()].every((following) => following.state === "live");
  }

  /** The newest seq that came out, or was skipped by the first snapshot. */
  head(room: Id): Seq {
    return this.rooms.get(room)?.delivery.head ?? 0;
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
    following.state = "live";
    following.refusals = 0;
    this.events.snapshot(frame, following.delivery.snapshot(frame));
  }

  event(frame: EventFrame): void {
    const following = this.rooms.get(frame.room);
    if (following === undefined) return;
    const verdict = following.delivery.accept(frame);
    if (verdict === "deliver") this.events.live(frame);
    else if (verdict === "gap" && following.state === "live") this.resume(following);
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
      if (refusal.passing) this.later(following, refusal);
      else {
        this.rooms.delete(room);
        this.events.refused(room, refusal);
      }
      return true;
    }
    return false;
  }

  private later(following: Following, refusal: Refusal): void {
    const ask = following.ask;
    const ms = refusal.retryAfterMs ?? fullJitter(++following.refusals, () => this.platform.random());
    this.platform.after(ms, () => {
      if (following.ask === ask && following.state === "asked") this.resume(following);
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
      const position = following.delivery.position ?? { limit: 0 };
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
