/** The picture that is looked at in large, among those of its room, which are read as one comes near. */

import { signal } from "@preact/signals";
import type { Id, Message, Seq } from "@chatx/sdk";
import { isPicture, type Picture } from "./files";
import { api } from "./session";
import { inBackground } from "./toasts";

/** A picture and, once it is stored, the message that has it. */
export interface Hung {
  picture: Picture;
  said: Pick<Message, "seq" | "user" | "at"> | undefined;
}

export interface Gallery {
  pictures: readonly Hung[];
  /** Which of them is looked at. */
  at: number;
  room: Id | undefined;
  /** Before and after which message more may be found; undefined where there is none. */
  before: Seq | undefined;
  after: Seq | undefined;
}

/** This close to the end of what is known, more is read. */
const readWithin = 3;
const pageSize = 50;

export const gallery = signal<Gallery | undefined>(undefined);

/** Shows a picture of a message among the others. One that is not sent yet has only those beside it. */
export function showPicture(pictures: readonly Picture[], picture: Picture, room?: Id, said?: Hung["said"]): void {
  const hung = pictures.map((one) => ({ picture: one, said }));
  show({ pictures: hung, at: pictures.indexOf(picture), room, before: said?.seq, after: said?.seq });
}

/** Goes to the next picture, or the one before, as far as there is one. */
export function step(by: 1 | -1): void {
  const now = gallery.value;
  if (now?.pictures[now.at + by] !== undefined) show({ ...now, at: now.at + by });
}

export function closeGallery(): void {
  gallery.value = undefined;
}

function show(next: Gallery): void {
  gallery.value = next;
  void inBackground(() => readNearby(next));
}

async function readNearby({ room, pictures, at, before, after }: Gallery): Promise<void> {
  if (room === undefined) return;
  if (before !== undefined && at < readWithin) {
    const page = await api.messages(room, { has: "file", before, limit: pageSize });
    const found = hang(page.messages);
    change(pictures, (now) => ({
      ...now,
      pictures: [...found, ...now.pictures],
      at: now.at + found.length,
      before: page.has_more ? page.messages[0]?.seq : undefined,
    }));
  } else if (after !== undefined && at >= pictures.length - readWithin) {
    const page = await api.messages(room, { has: "file", after, limit: pageSize });
    const found = hang(page.messages);
    change(pictures, (now) => ({
      ...now,
      pictures: [...now.pictures, ...found],
      after: page.has_more ? page.messages.at(-1)?.seq : undefined,
    }));
  }
}

/** What was read is taken unless something else is looked at by now, or the same was read twice. */
function change(asked: readonly Hung[], next: (now: Gallery) => Gallery): void {
  const now = gallery.peek();
  if (now?.pictures === asked) show(next(now));
}

function hang(messages: readonly Message[]): Hung[] {
  return messages.flatMap((message) => (message.files ?? []).filter(isPicture).map((picture) => ({ picture, said: message })));
}
