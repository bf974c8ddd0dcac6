/** The delivery rule: whatever is lost, doubled or late, each event comes out once and in order. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Delivery } from "../src/live/delivery.ts";
import type { RoomEvent, SubscribedFrame } from "../src/protocol.ts";
import { message, room } from "./world.ts";

function subscribed(head: number, events: RoomEvent[], reset = false): SubscribedFrame {
  return { type: "subscribed", room, head, first: 1, events, reset };
}

test("the next event is delivered, an old one dropped, one too far a gap", () => {
  const delivery = new Delivery();
  delivery.snapshot(subscribed(10, []));
  assert.equal(delivery.accept(message(11)), "deliver");
  assert.equal(delivery.accept(message(11)), "drop");
  assert.equal(delivery.accept(message(9)), "drop");
  assert.equal(delivery.accept(message(13)), "gap");
  assert.deepEqual(delivery.position, { after: 11, after_id: "event-11" });
});

test("a resume continues where it stood and takes nothing twice", () => {
  const delivery = new Delivery();
  delivery.snapshot(subscribed(2, [message(1), message(2)]));
  const missed = delivery.snapshot(subscribed(5, [message(2), message(3), message(4), message(5)]));
  assert.deepEqual(missed.map((event) => event.seq), [3, 4, 5]);
  assert.equal(delivery.behind(5), false);
  assert.equal(delivery.behind(6), true);
});

test("what does not fit in a snapshot follows as events", () => {
  const delivery = new Delivery();
  delivery.snapshot(subscribed(2, [message(1), message(2)]));
  delivery.snapshot(subscribed(5, [message(3)]));
  assert.equal(delivery.accept(message(4)), "deliver");
  assert.equal(delivery.accept(message(5)), "deliver");
});

test("a reset starts again, also below what was seen", () => {
  const delivery = new Delivery();
  delivery.snapshot(subscribed(900, [message(899), message(900)]));
  const fresh = delivery.snapshot(subscribed(40, [message(39), message(40)], true));
  assert.deepEqual(fresh.map((event) => event.seq), [39, 40]);
  assert.equal(delivery.accept(message(41)), "deliver");
});

test("what may not be read by us is not missed", () => {
  const delivery = new Delivery({ after: 0 });
  const events = delivery.snapshot({ ...subscribed(9, [message(8), message(9)]), first: 8 });
  assert.deepEqual(events.map((event) => event.seq), [8, 9]);
});

test("any shuffling with resumes gives every event once, in order", () => {
  for (let seed = 1; seed <= 200; seed += 1) {
    const random = lcg(seed);
    const delivery = new Delivery();
    const out: number[] = [];
    const take = (events: RoomEvent[]) => out.push(...events.map((event) => event.seq));
    take(delivery.snapshot(subscribed(0, [])));
    for (let step = 0; step < 300; step += 1) {
      const seq = 1 + Math.floor(random() * 60);
      const verdict = delivery.accept(message(seq));
      if (verdict === "deliver") out.push(seq);
      if (verdict === "gap") {
        const after = delivery.position?.after ?? 0;
        const head = Math.max(after, seq);
        take(delivery.snapshot(subscribed(head, Array.from({ length: head - after }, (_, index) => message(after + 1 + index)))));
      }
    }
    assert.deepEqual(out, Array.from({ length: out.length }, (_, index) => index + 1), `seed ${seed}`);
  }
});

function lcg(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
