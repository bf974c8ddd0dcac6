/** What the page knows of a room when the server says something of it. */

import "./browserless";
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Message, MyRoom, SubscribedFrame } from "@chatx/sdk";
import { RoomState } from "../src/state/room";
import { message, room } from "./events.ts";

const lastMessage = (state: RoomState) => state.lastMessage.value?.seq;
const known: MyRoom = {
  id: room, name: "room", visibility: "public", has_password: false, members: 2, head: 9, read: 9, unread: 0,
  last_message: message(9) as Message,
};
const subscribed: SubscribedFrame = { type: "subscribed", room, head: 9, first: 1, events: [] };

test("who comes back to a room that shows what was said since one joined has no last message of before", () => {
  for (const reset of [true, false]) {
    const state = new RoomState(known);
    state.snapshot(subscribed, [message(8), message(9)]);
    state.snapshot({ ...subscribed, head: 12, first: 12, reset }, []);
    assert.equal(lastMessage(state), undefined, `reset ${reset}`);
    assert.deepEqual(state.items.value, []);
  }
});

test("what the list says of a room's last message goes, unless more was heard since", () => {
  const state = new RoomState(known);
  state.refresh({ ...known, head: 12, last_message: null });
  assert.equal(lastMessage(state), undefined);
  state.snapshot({ ...subscribed, head: 13 }, [message(13)]);
  state.count(message(13));
  state.refresh({ ...known, head: 12, last_message: null });
  assert.equal(lastMessage(state), 13);
});
