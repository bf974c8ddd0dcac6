/** The client against a real server that is killed under it, restored from a copy, and whose tokens run out. */

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { MemoryStorage, type Refusal, type Seq } from "../src/index.ts";
import { FileStorage } from "../src/node/file_storage.ts";
import { Heard, leftOut, Server, until } from "./server.ts";

const real = { skip: leftOut, timeout: 180_000 };
const counted = (count: number) => Array.from({ length: count }, (_, index) => `message ${index}`);
const dense = (events: number) => Array.from({ length: events }, (_, index) => index + 1);

async function folder(at: TestContext): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), "chatx-sdk-storage-"));
  at.after(() => rm(made, { recursive: true, force: true }));
  return made;
}

test("2,000 messages come in order and once each, though the server is killed while they are sent", real, async (at) => {
  const server = await Server.start(at);
  const ada = await server.person(at, "ada");
  const ben = await server.person(at, "ben");
  const { id: room } = await ada.api.createRoom({ name: "Harbour" });
  await ben.api.join(room);
  const [heardByAda, heardByBen] = [new Heard(ada, room), new Heard(ben, room)];
  for (const chat of [ada, ben]) chat.follow(room, { from: { after: 0 }, complete: true });

  const bodies = counted(2_000);
  const stored = bodies.map((body) => ada.send(room, body).stored);
  for (const killedAt of [300, 900, 1_500]) {
    await heardByBen.messages(killedAt);
    await server.kill();
    await server.run();
  }
  const places = (await Promise.all(stored)).map(({ seq }) => seq);
  assert.deepEqual(places, [...places].sort((a, b) => a - b), "in the order in which they were written");
  for (const heard of [heardByAda, heardByBen]) {
    await heard.messages(2_000);
    assert.deepEqual(heard.bodies, bodies);
    assert.deepEqual(heard.seqs, dense(heard.seqs.length));
    assert.equal(heard.resets, 0);
  }
  assert.deepEqual(ada.live?.unsent(room), []);

  const read = [];
  for await (const page of ben.history(room, { limit: 200 })) read.unshift(...page);
  assert.deepEqual(read.map((message) => message.body), bodies, "the history says the same");
});

test("a file is uploaded, outlives the program in the outbox, and is read by others", real, async (at) => {
  const server = await Server.start(at);
  const storage = new MemoryStorage();
  const before = await server.person(at, "ada", { storage });
  const ben = await server.person(at, "ben");
  const { id: room } = await before.api.createRoom({ name: "Harbour" });
  await ben.api.join(room);
  const heard = new Heard(ben, room);
  ben.follow(room);

  let sent = 0;
  const file = await before.upload(room, new File(["High water at two"], "tides.txt"), { onProgress: (bytes) => (sent = bytes) });
  assert.deepEqual([file.name, file.mime, file.size, sent], ["tides.txt", "text/plain", 17, 17]);
  // Not followed, and so not sent, by this program.
  await before.send(room, { body: "", files: [file] }).kept;
  before.close();
  const after = await server.client(at, { storage });
  await after.restore();
  after.follow(room);
  await heard.messages(1);
  const [message] = heard.events.filter((event) => event.kind === "message");
  assert.deepEqual(message?.files, [file]);
  assert.equal(new TextDecoder().decode(await ben.api.file(file.id)), "High water at two");

  const given = new AbortController();
  given.abort();
  const upload = after.upload(room, new File(["never"], "never.txt"), { signal: given.signal });
  await assert.rejects(upload, (refusal: Refusal) => refusal.code === "cancelled");
});

test("what was written while the server was away outlives the program", real, async (at) => {
  const server = await Server.start(at);
  const storage = new FileStorage(await folder(at));
  const before = await server.person(at, "ada", { storage });
  const { id: room } = await before.api.createRoom({ name: "Harbour" });
  const heardBefore = new Heard(before, room);
  before.follow(room);
  await before.send(room, "message 0").stored;
  await heardBefore.messages(1);

  await server.kill();
  for (const body of counted(20).slice(1)) await before.send(room, body).kept;
  before.close();

  const after = await server.client(at, { storage: new FileStorage(storage.folder) });
  assert.equal((await after.restore())?.username, "ada", "the session outlives it too");
  await after.send(room, "message 20").kept;
  await until("what was written is there while the server is not", async () => after.live?.unsent(room).length === 20);
  const heard = new Heard(after, room);
  await server.run();
  after.follow(room, { from: { after: 0 } });
  await heard.messages(21);
  assert.deepEqual(heard.bodies, counted(21));
  await until("nothing is owed any more", async () => (await storage.entries("chatx.outbox.")).length === 0);
});

test("more was missed than a socket gives: who wants everything gets it, others are told of the hole", real, async (at) => {
  const server = await Server.start(at);
  const ada = await server.person(at, "ada");
  const ben = await server.person(at, "ben");
  const cid = await server.person(at, "cid");
  const { id: room } = await ada.api.createRoom({ name: "Harbour" });
  for (const chat of [ben, cid]) await chat.api.join(room);
  const [everything, latest] = [new Heard(ben, room), new Heard(cid, room)];
  ben.follow(room, { from: { after: 0 }, complete: true });
  cid.follow(room, { from: { after: 0 } });
  ada.follow(room);
  await ada.send(room, "message 0").stored;
  await Promise.all([everything.messages(1), latest.messages(1)]);
  for (const chat of [ben, cid]) chat.live?.stop();
  await Promise.all(counted(700).slice(1).map((body) => ada.send(room, body).stored));
  for (const chat of [ben, cid]) chat.live?.start();
  await everything.messages(700);
  assert.deepEqual(everything.bodies, counted(700));
  assert.equal(everything.resets, 0);
  await until("the hole is told", async () => latest.resets === 1);
  assert.equal(latest.bodies.at(-1), "message 699");
});

test("a server that was restored from a copy has another log, and says so", real, async (at) => {
  const server = await Server.start(at);
  const ada = await server.person(at, "ada");
  const { id: room } = await ada.api.createRoom({ name: "Harbour" });
  const heard = new Heard(ada, room);
  ada.follow(room, { from: { after: 0 }, complete: true });
  await ada.send(room, "kept").stored;
  await heard.messages(1);
  await server.kill();
  await server.save("copy");
  await server.run();
  await ada.send(room, "lost").stored;
  await heard.messages(2);

  ada.live?.stop();
  await server.kill();
  await server.restore("copy");
  await server.run();
  await ada.api.post(room, { body: "instead" });
  ada.live?.start();
  await until("the other log is told", async () => heard.resets === 1);
  assert.deepEqual(heard.bodies, ["kept", "lost", "kept", "instead"]);
});

test("a socket outlives its access token, and of two programs over one storage one renews", real, async (at) => {
  const server = await Server.start(at, { CHATX_ACCESS_TOKEN_S: "4" });
  const storage = new MemoryStorage();
  const one = await server.person(at, "ada", { storage });
  const two = await server.client(at, { storage });
  await two.restore();
  const ben = await server.person(at, "ben");
  const { id: room } = await one.api.createRoom({ name: "Harbour" });
  await ben.api.join(room);
  const heard = new Heard(one, room);
  let [ready, renewals, ended] = [0, 0, 0];
  one.on("ready", () => (ready += 1));
  for (const chat of [one, two]) chat.on("ended", () => (ended += 1));
  two.on("renewed", () => (renewals += 1));
  for (const chat of [one, ben]) chat.follow(room);
  await ben.send(room, "before").stored;
  await until("the token is renewed three times", async () => renewals >= 3);
  await ben.send(room, "after").stored;
  await heard.messages(2);
  assert.equal((await two.api.me()).username, "ada");
  assert.equal((await one.api.sessions()).length, 1);
  assert.ok(ready <= 1, "it is the same socket");
  assert.equal(ended, 0);
});

test("who is put out hears why, and what they write is refused and kept for them", real, async (at) => {
  const server = await Server.start(at);
  const ada = await server.person(at, "ada");
  const ben = await server.person(at, "ben");
  const { id: room } = await ada.api.createRoom({ name: "Harbour" });
  await ben.api.join(room);
  ben.follow(room);
  const { stored } = ben.send(room, "one");
  await stored;
  await ada.api.mute(room, ben.user?.id ?? "", new Date(Date.now() + 600_000).toISOString());
  await assert.rejects(ben.send(room, "two").stored, (refusal: Refusal) => refusal.code === "muted");
  assert.deepEqual(ben.live?.unsent(room).map(({ body, state }) => [body, state]), [["two", "failed"]]);
  const out = new Promise((resolve) => ben.on("unsubscribed", (frame) => resolve(frame.reason)));
  await ada.api.kick(room, ben.user?.id ?? "");
  assert.equal(await out, "kicked");
});

test("what is read on one device is read on the other, whatever that one follows", real, async (at) => {
  const server = await Server.start(at);
  const one = await server.person(at, "ada");
  const ben = await server.person(at, "ben");
  const two = await server.client(at);
  await two.logIn({ login: "ada", password: "plain sailing 1843" });
  const { id: room } = await ben.api.createRoom({ name: "Harbour" });
  await one.api.join(room);
  await one.api.updateMe({ shows_reads: false });
  const heard: Seq[] = [];
  const bens: Seq[] = [];
  two.on("read", (frame) => void (frame.room === room && frame.user === one.user?.id && heard.push(frame.seq)));
  ben.on("read", (frame) => void (frame.user === one.user?.id && bens.push(frame.seq)));
  for (const chat of [one, ben]) chat.follow(room);
  const first = await ben.send(room, "one").stored;
  await one.api.markRead(room, first.seq);
  await until("the mark of a call is told", async () => heard.at(-1) === first.seq);
  const second = await ben.send(room, "two").stored;
  await until("it is said", async () => one.live?.head(room) === second.seq);
  assert.ok(one.live?.markRead(room, second.seq));
  await until("the mark of a socket is told", async () => heard.at(-1) === second.seq);
  const mine = (await two.api.myRooms()).find(({ id }) => id === room);
  assert.deepEqual([mine?.read, mine?.unread], [second.seq, 0]);
  assert.deepEqual(bens, [], "it is hidden from others");
});
