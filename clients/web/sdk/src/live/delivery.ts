/**
 * The delivery rule for one room: which event may be shown next. A lost frame, a slow socket, a failover and a
 * resume are one case to it. It holds no events and sends nothing.
 */

import type { Id, RoomEvent, Seq, SubscribedFrame } from "../protocol.ts";

/** `deliver`: it is the next one. `drop`: it was seen. `gap`: something before it is missing. */
export type Verdict = "deliver" | "drop" | "gap";

/** Where a client resumes from. */
export interface Position {
  after: Seq;
  /** The id of the event at `after`, when it was seen: the server then notices a log that is not the one we read. */
  after_id?: Id;
}

export class Delivery {
  /** The seq that is due next; undefined until the first snapshot. */
  private next: Seq | undefined;
  private lastId: Id | undefined;

  /** `from`: where somebody who comes back has come to. Without it the first snapshot decides. */
  constructor(from?: Position) {
    if (from === undefined) return;
    this.next = from.after + 1;
    this.lastId = from.after_id;
  }

  /** What to ask for when subscribing; undefined when nothing was received yet. */
  get position(): Position | undefined {
    if (this.next === undefined) return undefined;
    return { after: this.next - 1, ...(this.lastId === undefined ? {} : { after_id: this.lastId }) };
  }

  /** The newest seq that was delivered, or that a first snapshot left out. */
  get head(): Seq {
    return (this.next ?? 1) - 1;
  }

  accept(event: RoomEvent): Verdict {
    if (this.next === undefined || event.seq > this.next) return "gap";
    if (event.seq < this.next) return "drop";
    this.next = event.seq + 1;
    this.lastId = event.id;
    return "deliver";
  }

  /**
   * Takes a snapshot. The first one, and one that says `reset`, decides where the room starts for us; any other one
   * continues, and its events pass the same rule as live ones. Answers the events to show, in order.
   */
  snapshot(frame: SubscribedFrame): RoomEvent[] {
    this.skipTo(frame.first);
    if (this.next === undefined || frame.reset === true) {
      this.next = frame.events[0]?.seq ?? frame.head + 1;
      this.lastId = undefined;
    }
    return frame.events.filter((event) => this.accept(event) === "deliver");
  }

  /** What is before `first` may not be read by us, and is not missed. */
  skipTo(first: Seq): void {
    if (this.next === undefined || this.next >= first) return;
    this.next = first;
    this.lastId = undefined;
  }

  /** Whether the server has events that we lack. */
  behind(head: Seq): boolean {
    return this.next !== undefined && head >= this.next;
  }
}
