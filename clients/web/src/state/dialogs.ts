/** Which dialog is open, and what stands beside the conversation. */

import { signal } from "@preact/signals";
import type { Id, Room, Seq, UserRef } from "@chatx/sdk";

export type OpenDialog =
  | { kind: "create-room" }
  | { kind: "new-message" }
  | { kind: "join"; room: Pick<Room, "id" | "name"> }
  | { kind: "invite" }
  | { kind: "invites"; room: Id }
  | { kind: "room-settings"; room: Id }
  | { kind: "report"; room: Id; seq: Seq }
  | { kind: "person"; user: UserRef }
  | { kind: "switch" }
  | { kind: "shortcuts" };

export const dialog = signal<OpenDialog | undefined>(undefined);

export type Side = { kind: "details" } | { kind: "pins" } | { kind: "thread"; root: Seq };

/** Below this width there is one pane at a time. Keep in step with `styles/layout.css`. */
export const side = signal<Side | undefined>(window.innerWidth >= 1180 ? { kind: "details" } : undefined);

// In a window that becomes narrow, what stood beside the conversation would lie over it.
matchMedia("(max-width: 1179px)").addEventListener("change", ({ matches }) => {
  if (matches && side.peek()?.kind === "details") side.value = undefined;
});

/** Whether only one pane is seen at a time. */
export function isNarrow(): boolean {
  return matchMedia("(max-width: 760px)").matches;
}

export function closeDialog(): void {
  dialog.value = undefined;
}
