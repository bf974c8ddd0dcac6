/** Which dialog is open, and whether the details pane is. */

import { signal } from "@preact/signals";
import type { Id, Room } from "@chatx/sdk";

export type OpenDialog =
  | { kind: "create-room" }
  | { kind: "join"; room: Pick<Room, "id" | "name"> }
  | { kind: "invite" }
  | { kind: "settings" }
  | { kind: "room-settings"; room: Id }
  | { kind: "shortcuts" };

export const dialog = signal<OpenDialog | undefined>(undefined);

/** Below this width there is one pane at a time. Keep in step with `styles/layout.css`. */
export const detailsOpen = signal(window.innerWidth >= 1180);

export function closeDialog(): void {
  dialog.value = undefined;
}
