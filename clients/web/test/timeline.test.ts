/** What a reader sees of a log. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Heights, toBlocks } from "../src/state/blocks";
import { applyAmendments, continues, fold, type Item, pageItems } from "../src/state/timeline";
import { message, other, room } from "./events.ts";

const self = "user-me";
const base = { room, n: 1, at: "2026-11-22T07:16:00.000Z", user: other };
const texts = (items: readonly Item[]) => items.map((item) => (item.type === "message" ? [item.body, item.edited, item.deleted] : item.event.kind));

test("edits and deletes change their message, wherever it stands", () => {
  const items = fold([], [
    message(1), message(2), message(3),
    { ...base, kind: "edit", seq: 4, id: "e4", target: 1, body: "new" },
    { ...base, kind: "delete", seq: 5, id: "e5", target: 3 },
    { ...base, kind: "join", seq: 6, id: "e6" },
    { ...base, kind: "edit", seq: 7, id: "e7", target: 3, body: "too late" },
  ], self);
  assert.deepEqual(texts(items), [["new", true, false], ["body 2", false, false], ["", false, true], "join"]);
});

test("an older page that was read before an edit gets it too", () => {
  const edit = { ...base, kind: "edit" as const, seq: 9, id: "e9", target: 2, body: "new" };
  assert.deepEqual(texts(fold([], [edit], self)), []);
  assert.deepEqual(texts(applyAmendments(fold([], [message(1), message(2)], self), [edit], self)), [["body 1", false, false], ["new", true, false]]);
});

test("signs, pins and answers change their message, and are not counted twice over a page that has them", () => {
  const later = [
    { ...base, kind: "react" as const, seq: 3, id: "e3", target: 1, emoji: "👍" },
    { ...base, kind: "react" as const, seq: 4, id: "e4", target: 1, emoji: "👍", user: { ...other, id: self } },
    { ...base, kind: "unreact" as const, seq: 5, id: "e5", target: 1, emoji: "👍" },
    { ...base, kind: "pin" as const, seq: 6, id: "e6", target: 1 },
    { ...message(7, { thread: 1 }), thread: 1 },
  ];
  const shown = (items: readonly Item[]) => items.flatMap((item) => item.type === "message" && item.seq === 1
    ? [[item.reactions, item.pinned, item.replies]] : []);
  const whole = [[[{ emoji: "👍", count: 1, me: true }], true, 1]];
  assert.deepEqual(shown(fold([], [message(1), ...later], self)), whole);
  const page = pageItems([{ ...message(1), reactions: [{ emoji: "👍", count: 1, me: true }], mentions: [], files: [] }], [], 5);
  assert.deepEqual(shown(applyAmendments(page, later, self)), whole);
});

test("an edit says whom a message calls, and an answer that is deleted counts no more", () => {
  const ben = { id: "user-ben", username: "ben" };
  const items = fold([], [
    message(1, { mentions: [ben] }), message(2, { thread: 1 }), message(3, { thread: 1 }), message(4, { mentions: [ben] }),
    { ...base, kind: "edit", seq: 5, id: "e5", target: 1, body: "nobody" },
    { ...base, kind: "delete", seq: 6, id: "e6", target: 2 },
    { ...base, kind: "delete", seq: 7, id: "e7", target: 4 },
    // One that was deleted before it came.
    message(8, { thread: 1, body: "", deleted_at: "2026-11-22T07:17:00.000Z" }),
    { ...base, kind: "delete", seq: 9, id: "e9", target: 8 },
  ], self);
  const shown = items.map((item) => (item.type === "message" ? [item.replies, item.mentions.length] : []));
  assert.deepEqual(shown, [[1, 0], [0, 0], [0, 0], [0, 0], [0, 0]]);
});

test("messages stand under one name only when close in time and from one person", () => {
  const [a, b, late, someone] = fold([], [
    message(1), message(2, { at: "2026-11-22T07:17:00.000Z" }), message(3, { at: "2026-11-22T07:30:00.000Z" }),
    message(4, { at: "2026-11-22T07:30:01.000Z", user: { ...other, id: "x" } }),
  ], self) as [Item, Item, Item, Item];
  assert.deepEqual([continues(a, b), continues(b, late), continues(late, someone)], [true, false, false]);
});

test("a long log is drawn by blocks that keep their place when older ones are loaded", () => {
  const items = (from: number, to: number) => fold([], Array.from({ length: to - from }, (_, index) => message(from + index)), self);
  const heights = new Heights();
  const late = toBlocks(items(48_000, 100_000));
  const { from, to, above, below } = heights.drawn(late, 100_000, 101_000);
  const drawn = late.slice(from, to).reduce((sum, block) => sum + heights.of(block), 0);
  assert.ok(to - from < 4, "few are drawn");
  assert.ok(above <= 100_000 && above + drawn >= 101_000, "what is in sight is");
  assert.ok(Math.abs(above + drawn + below - heights.offset(late, Infinity)) < 1);
  const [first] = late.slice(from);
  heights.measure(first!, 500);
  const earlier = toBlocks(items(1, 100_000)).find((block) => block.key === first!.key);
  assert.equal(heights.of(earlier!), 500, "it is the same block");
});
