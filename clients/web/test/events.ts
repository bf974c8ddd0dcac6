/** Events as a server would tell them. */

import type { MessageEvent } from "@chatx/sdk";

export const room = "room-1";
export const other = { id: "user-other", username: "other", display_name: "Other" };

export function message(seq: number, extra: Partial<MessageEvent> = {}): MessageEvent {
  return {
    kind: "message", room, seq, id: `event-${seq}`, n: seq, at: "2026-11-22T07:15:00.000Z", user: other, body: `body ${seq}`,
    ...extra,
  };
}
