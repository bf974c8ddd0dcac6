/** A client against a server that loses, doubles, refuses and goes away: what it writes is stored once, in order. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Live } from "../src/live/live.ts";
import type { Status } from "../src/live/connection.ts";
import { Refusal } from "../src/refusal.ts";
import type { RoomEvent } from "../src/protocol.ts";
import { MemoryStorage } from "../src/storage.ts";
import { me, message, room, type ServerSide, World } from "./world.ts";

const never = () => new Promise<never>(() => {});

function start(world: World, renew: () => Promise<boolean> = async () => true) {
  const events: RoomEvent[] = [];
  const statuses: Status[] = [];
  const snapshots: boolean[] = [];
  const nothing = () => {};
  const client = new Live(
    world,
    { ticket: async () => ({ url: "ws://server/v1/socket", ticket: "t", expires_in: 30, protocol: "chatx.v1" }), renew, events: never },
    me.id,
    {
      status: (status) => statuses.push(status),
      ready: nothing,
      snapshot: (frame, missed) => {
        snapshots.push(frame.reset === true);
        events.push(...missed);
      },
      event: (event) => events.push(event),
      unsubscribed: nothing, roomAdded: nothing, roomRemoved: nothing, userChanged: nothing, reports: nothing, refused: nothing, presence: nothing, typing: nothing, read: nothing, outbox: nothing,
    },
  );
  client.start();
  return { client, events, statuses, snapshots };
}

function answerSubscribe(socket: ServerSide, head: number, events: RoomEvent[] = [], reset = false): void {
  const asked = socket.of("subscribe").at(-1);
  assert.ok(asked, "the client subscribes");
  socket.say({ type: "subscribed", ...(asked.id === undefined ? {} : { id: asked.id }), room, head, first: 1, events, reset });
}

async function live(world: World, head = 0) {
  const started = start(world);
  await world.pass(0);
  world.socket.ready();
  started.client.follow(room);
  answerSubscribe(world.socket, head);
  return started;
}

test("a message that was not acknowledged is sent again under its name after a reconnect", async () => {
  const world = new World();
  const { client } = await live(world);
  client.send(room, "hello");
  const first = world.socket.of("send")[0];
  assert.equal(first?.body, "hello");
  world.socket.close(1006);
  await world.pass(1_000);
  world.socket.ready();
  answerSubscribe(world.socket, 0);
  assert.equal(world.sockets.length, 2);
  assert.deepEqual(world.socket.of("send").map((frame) => frame.client_id), [first?.client_id]);
  world.socket.say({ type: "ack", room, seq: 1, at: "", client_id: first?.client_id ?? "", duplicate: true });
  world.socket.say({ type: "event", ...message(1, { user: me, client_id: first?.client_id ?? "" }) });
  assert.deepEqual(client.unsent(room), []);
});

test("a reload loses nothing that was written", async () => {
  const storage = new MemoryStorage();
  const before = await live(new World(storage));
  await before.client.send(room, "one").kept;
  await before.client.send(room, "two").kept;
  const world = new World(storage);
  const { client } = await live(world);
  assert.deepEqual(client.unsent(room).map((entry) => entry.body), ["one", "two"]);
  assert.deepEqual(world.socket.of("send").map((frame) => frame.body), ["one"]);
});

test("messages of a room go one at a time, so that a refusal that passes does not reorder them", async () => {
  const world = new World();
  const { client } = await live(world);
  client.send(room, "one");
  client.send(room, "two");
  const sent = () => world.socket.of("send").map((frame) => frame.body);
  assert.deepEqual(sent(), ["one"]);
  const id = world.socket.of("send")[0]?.id ?? "";
  world.socket.say({ type: "error", id, code: "slow_mode", message: "", retry_after_ms: 2000 });
  assert.deepEqual(sent(), ["one"]);
  await world.pass(2000);
  assert.deepEqual(sent(), ["one", "one"]);
  world.socket.say({ type: "ack", room, seq: 1, at: "", client_id: id });
  assert.deepEqual(sent(), ["one", "one", "two"]);
});

test("a message that is refused for good waits for its writer, and lets the next one pass", async () => {
  const world = new World();
  const { client } = await live(world);
  client.send(room, "one");
  client.send(room, "two");
  const id = world.socket.of("send")[0]?.id ?? "";
  world.socket.say({ type: "error", id, code: "muted", message: "" });
  assert.deepEqual(client.unsent(room).map((entry) => [entry.body, entry.state]), [["one", "failed"], ["two", "sent"]]);
  client.discard(id);
  assert.deepEqual(client.unsent(room).map((entry) => entry.body), ["two"]);
});

test("a gap is filled by a resume from the last event, once", async () => {
  const world = new World();
  const { events } = await live(world, 3);
  world.socket.say({ type: "event", ...message(4) });
  world.socket.say({ type: "event", ...message(7) });
  world.socket.say({ type: "event", ...message(8) });
  const asks = world.socket.of("subscribe").slice(1);
  assert.deepEqual(asks.map(({ after, after_id }) => ({ after, after_id })), [{ after: 4, after_id: "event-4" }]);
  answerSubscribe(world.socket, 8, [message(5), message(6), message(7), message(8)]);
  assert.deepEqual(events.map((event) => event.seq), [4, 5, 6, 7, 8]);
});

test("an archived room rests, and is gone on with where it stood once it is open again", async () => {
  const world = new World();
  const { events } = await live(world, 3);
  world.socket.say({ type: "event", ...message(4) });
  world.socket.say({ type: "unsubscribed", room, reason: "archived" });
  world.socket.close(1006);
  await world.pass(1_000);
  world.socket.ready();
  const asked = world.socket.of("subscribe").at(-1);
  world.socket.say({ type: "error", id: asked?.id ?? "", code: "archived", message: "" });
  assert.equal(world.socket.of("subscribe").length, 1);
  world.socket.say({ type: "room_added", room });
  assert.deepEqual(world.socket.of("subscribe").map(({ after }) => after), [4, 4]);
  answerSubscribe(world.socket, 6, [message(5), message(6)]);
  assert.deepEqual(events.map((event) => event.seq), [4, 5, 6]);
});

test("a lost last event is found by the head in a pong", async () => {
  const world = new World();
  await live(world, 3);
  await world.pass(2_000);
  assert.equal(world.socket.of("ping").length, 1);
  world.socket.say({ type: "pong", at: "", heads: { [room]: 3 } });
  assert.equal(world.socket.of("subscribe").length, 1);
  await world.pass(2_000);
  world.socket.say({ type: "pong", at: "", heads: { [room]: 4 } });
  assert.equal(world.socket.of("subscribe").at(-1)?.after, 3);
});

test("a server that falls silent is noticed within 5 s by who looks, and without haste by who does not", async () => {
  for (const [watching, ms] of [[true, 5_000], [false, 28_000]] as const) {
    const world = new World();
    world.watching = watching;
    const { statuses } = await live(world);
    await world.pass(ms - 1);
    assert.equal(statuses.at(-1)?.kind, "live");
    await world.pass(1);
    assert.equal(statuses.at(-1)?.kind, "waiting");
    await world.pass(1_000);
    assert.equal(world.sockets.length, 2);
  }
});

test("a socket that speaks all the time is asked seldom", async () => {
  const world = new World();
  const { statuses } = await live(world);
  for (let seq = 1; seq <= 50; seq += 1) {
    await world.pass(1_000);
    world.socket.say({ type: "event", ...message(seq) });
  }
  assert.equal(world.socket.of("ping").length, 2);
  assert.equal(statuses.at(-1)?.kind, "live");
});

test("what only a later version knows is passed over, counted, and keeps its place", async () => {
  const world = new World();
  const { client, events } = await live(world);
  world.socket.say({ type: "event", ...message(1), kind: "poll" as never });
  world.socket.say({ type: "event", ...message(2) });
  assert.deepEqual(events.map((event) => event.seq), [2]);
  assert.equal(client.unknownEvents, 1);
  assert.equal(world.socket.of("subscribe").length, 1);
});

test("goaway moves to a new socket while the old one still works", async () => {
  const world = new World();
  const { client, statuses, events } = await live(world);
  const old = world.socket;
  old.say({ type: "goaway", reason: "drain", reconnect_after_ms: 500 });
  await world.pass(500);
  assert.equal(world.sockets.length, 2);
  old.say({ type: "event", ...message(1) });
  client.send(room, "one");
  const written = old.of("send")[0]?.client_id ?? "";
  world.socket.ready();
  assert.equal(old.open, true, "until the room is resumed");
  assert.equal(world.socket.of("subscribe").at(-1)?.after, 1);
  // Both say the same while both live.
  old.say({ type: "event", ...message(2) });
  old.say({ type: "ack", room, seq: 3, at: "", client_id: written });
  answerSubscribe(world.socket, 2, [message(2)]);
  assert.equal(old.open, false);
  assert.deepEqual(events.map((event) => event.seq), [1, 2]);
  assert.deepEqual(world.socket.of("send"), [], "it was acknowledged where it was sent");
  assert.ok(statuses.every((status) => status.kind !== "waiting"), "nobody saw a loss");
});

test("a place that goaway names is gone to once, and a wrong one does no harm", async () => {
  const world = new World();
  const { statuses } = await live(world);
  world.socket.say({ type: "goaway", reason: "drain", reconnect_after_ms: 0, url: "ws://elsewhere/v1/socket" });
  await world.pass(0);
  assert.equal(world.socket.url, "ws://elsewhere/v1/socket?ticket=t");
  world.socket.close(1006);
  await world.pass(1_000);
  assert.equal(world.sockets.length, 3);
  assert.equal(world.socket.url, "ws://server/v1/socket?ticket=t");
  world.socket.ready();
  answerSubscribe(world.socket, 0);
  assert.deepEqual(world.sockets.map((socket) => socket.open), [false, false, true]);
  assert.ok(statuses.every((status) => status.kind !== "waiting"), "nobody saw a loss");
});

test("closes that mean stay away are obeyed, and a person may try again", async () => {
  for (const code of [1009, 4400, 4403, 4429]) {
    const world = new World();
    const { client, statuses } = await live(world);
    world.socket.close(code);
    await world.pass(600_000);
    assert.equal(world.sockets.length, 1);
    assert.deepEqual(statuses.at(-1), { kind: "stopped", code });
    client.connection.retryNow();
    await world.pass(0);
    assert.equal(world.sockets.length, 2);
  }
});

test("4401 renews the session and comes back, or ends when that is refused", async () => {
  for (const renewed of [true, false]) {
    const world = new World();
    const { statuses } = start(world, async () => renewed);
    await world.pass(0);
    world.socket.ready();
    world.socket.close(4401);
    await world.pass(60_000);
    assert.equal(world.sockets.length > 1, renewed);
    if (!renewed) assert.deepEqual(statuses.at(-1), { kind: "stopped", code: 4401 });
  }
});

test("a ticket that does not come is asked for again", async () => {
  const world = new World();
  let asked = 0;
  const client = new Live(
    world,
    { ticket: () => { asked += 1; return new Promise(() => {}); }, renew: async () => true, events: never },
    me.id,
    new Proxy({} as never, { get: () => () => {} }),
  );
  client.start();
  await world.pass(12_000);
  assert.equal(asked, 3);
});

test("a ticket that cannot be had is asked for again, no sooner than the server says", async () => {
  const world = new World();
  let asked = 0;
  const client = new Live(
    world,
    { ticket: async () => { asked += 1; throw new Refusal({ code: "unavailable", message: "" }, 20_000); }, renew: async () => true, events: never },
    me.id,
    new Proxy({} as never, { get: () => () => {} }),
  );
  client.start();
  await world.pass(19_999);
  assert.equal(asked, 1);
  await world.pass(1);
  assert.equal(asked, 2);
});
