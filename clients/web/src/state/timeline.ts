/** A room's log as a reader sees it: messages and quiet notices in order. Pure; it knows no signals and no pages. */

import type {
  ArchiveEvent, DeleteEvent, EditEvent, Id, MemberEvent, MessageEvent, PassageEvent, RoomChangeEvent, RoomEvent, Seq,
  Timestamp, UserRef,
} from "../protocol";

export interface MessageItem {
  type: "message";
  seq: Seq;
  id: Id;
  at: Timestamp;
  user: UserRef;
  body: string;
  edited: boolean;
  deleted: boolean;
  client_id: string | undefined;
}
export type NoticeEvent = MemberEvent | PassageEvent | RoomChangeEvent | ArchiveEvent;
export interface NoticeItem {
  type: "notice";
  seq: Seq;
  id: Id;
  at: Timestamp;
  event: NoticeEvent;
}
export type Item = MessageItem | NoticeItem;
/** What changes a message that was written before. */
export type Amendment = EditEvent | DeleteEvent;

/** Adds events to what is shown. Those that amend a message which is not shown change nothing. */
export function fold(items: readonly Item[], events: readonly RoomEvent[]): Item[] {
  const folded = [...items];
  for (const event of events) {
    const item = asItem(event);
    if (item !== undefined) folded.push(item);
    else if (event.kind === "edit" || event.kind === "delete") amend(folded, event);
  }
  return folded;
}

/** Applies amendments again to a page that may have been read before they were made. */
export function applyAmendments(items: Item[], amendments: Iterable<Amendment>): Item[] {
  for (const amendment of amendments) amend(items, amendment);
  return items;
}

function asItem(event: RoomEvent): Item | undefined {
  switch (event.kind) {
    case "message":
      return asMessage(event);
    case "join":
    case "leave":
    case "kick":
    case "ban":
    case "unban":
    case "role":
    case "mute":
    case "room":
    case "archive":
      return { type: "notice", seq: event.seq, id: event.id, at: event.at, event };
    default:
      return undefined;
  }
}

function asMessage(event: MessageEvent): MessageItem {
  const deleted = typeof event.deleted_at === "string";
  return {
    type: "message",
    seq: event.seq,
    id: event.id,
    at: event.at,
    user: event.user,
    body: deleted ? "" : event.body,
    edited: typeof event.edited_at === "string",
    deleted,
    client_id: event.client_id ?? undefined,
  };
}

function amend(items: Item[], event: Amendment): void {
  const index = indexOfSeq(items, event.target);
  const item = items[index];
  if (item?.type !== "message" || item.deleted) return;
  items[index] =
    event.kind === "edit" ? { ...item, body: event.body, edited: true } : { ...item, body: "", deleted: true };
}

/** By halves, for items are in order; -1 when it is not shown. */
function indexOfSeq(items: readonly Item[], seq: Seq): number {
  let low = 0;
  let high = items.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const at = items[middle]?.seq ?? 0;
    if (at === seq) return middle;
    if (at < seq) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}

/** Messages this close together, from one person, stand under one name. */
const groupWithinMs = 5 * 60_000;

/** Whether an item continues the group of the one before it. */
export function continues(before: Item | undefined, item: Item): boolean {
  if (before?.type !== "message" || item.type !== "message" || before.user.id !== item.user.id) return false;
  return sameDay(before.at, item.at) && Date.parse(item.at) - Date.parse(before.at) < groupWithinMs;
}

/** Whether two moments are on one day, here. */
export function sameDay(a: Timestamp, b: Timestamp): boolean {
  return new Date(a).toDateString() === new Date(b).toDateString();
}
