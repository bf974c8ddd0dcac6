/** What is written but not sent, kept by this device for each person and place. Its files are in `attachments.ts`. */

import { signal } from "@preact/signals";
import type { Id, Seq } from "@chatx/sdk";
import { remembered } from "../browser";
import { me } from "./session";

/** Where something is being written: in a room, or in one of its threads. */
export interface Place {
  room: Id;
  thread: Seq | undefined;
}

/** Where a draft was put that its box does not show yet. */
export const returned = signal<Place | undefined>(undefined);

export const draft = {
  of: (place: Place): string => remembered.get(key(place)) ?? "",
  keep(place: Place, text: string): void {
    if (text === "") remembered.remove(key(place));
    else remembered.set(key(place), text);
  },
};

/** Under which something of a draft is remembered. Who logs in after somebody else does not see what they wrote. */
export function keyOf(kind: "draft" | "files", { room, thread }: Place): string {
  return `chatx.${kind}.${me.peek()?.id}.${room}${thread === undefined ? "" : `.${thread}`}`;
}

const key = (place: Place) => keyOf("draft", place);
