/**
 * The page's whole state without its views, for a test that does not run in Node. It is told on its standard input what
 * to do, a line each, and answers on its standard output: `older <room>` reads a page of what is older and answers
 * nothing, `show <room> <head>` answers what the page shows of the room once it has come that far.
 */

import "./browserless";
import { createInterface } from "node:readline";
import { effect } from "@preact/signals";
import { loadOlder } from "../src/state/actions";
import { rooms, roomsKnown } from "../src/state/chat";
import type { RoomState } from "../src/state/room";
import { chat, logIn } from "../src/state/session";

await logIn(process.env["CHATX_LOGIN"] ?? "", process.env["CHATX_PASSWORD"] ?? "");
await until(() => roomsKnown.value && [...rooms.value.values()].every((room) => room.followed.value));
answer("ready");

for await (const line of createInterface({ input: process.stdin })) {
  const [word, id = "", head = ""] = line.split(" ");
  const room = () => rooms.value.get(id);
  if (word === "older") {
    const state = room();
    if (state !== undefined) void loadOlder(state);
  } else if (word === "show") {
    await until(() => room()?.followed.value === true);
    await reached(id, Number(head));
    const state = room();
    answer(state === undefined ? null : await shown(state));
  }
}
process.exit();

async function shown(room: RoomState): Promise<object> {
  while (room.olderThan !== undefined) {
    await until(() => room.loading.value !== "busy");
    await loadOlder(room);
  }
  const messages = room.items.value.flatMap((item) => item.type === "message" ? [[item.seq, {
    seq: item.seq, id: item.id, at: item.at, user: item.user.id, client_id: item.client_id ?? null,
    reply_to: item.replyTo ?? null, thread: item.thread ?? null, body: item.body, edited_at: item.edited,
    deleted_at: item.deleted, replies: item.replies, files: item.files, mentions: item.mentions, pinned: item.pinned,
    reactions: [...item.reactions].sort((a, b) => (JSON.stringify(a.emoji) < JSON.stringify(b.emoji) ? -1 : 1)),
  }]] : []);
  const info = room.info.value;
  return {
    messages: Object.fromEntries(messages),
    read: room.read.value,
    unread: room.unread.value,
    mentions: room.mentions.value,
    last_message: room.lastMessage.value?.seq ?? null,
    room: {
      name: info.name, topic: info.topic, visibility: info.visibility, history: info.history, max_members: info.max_members,
      slow_mode_s: info.slow_mode_s, has_password: info.has_password, archived: typeof info.archived_at === "string",
      members: info.members, role: info.role,
    },
  };
}

/** Resolves once something of the state holds. */
function until(holds: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const stop = effect(() => {
      if (!holds()) return;
      queueMicrotask(() => stop());
      resolve();
    });
  });
}

/** Resolves once the log of a room is known up to `head`, which is no part of the state that tells of itself. */
async function reached(room: string, head: number): Promise<void> {
  while ((chat.live?.head(room) ?? 0) < head) await new Promise((resolve) => setTimeout(resolve, 10));
}

function answer(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}
