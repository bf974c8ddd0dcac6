/** A room's log as a reader sees it: messages and quiet notices in order. Pure; it knows no signals and no pages. */

import type {
  ArchiveEvent, DeleteEvent, EditEvent, FileRef, Id, MemberEvent, Mention, Message, MessageEvent, PassageEvent, PinEvent, Reaction,
  ReactionEvent, RoomChangeEvent, RoomEvent, Seq, Timestamp, UserRef,
} from "@chatx/sdk";

export interface MessageItem {
  type: "message";
  seq: Seq;
  id: Id;
  at: Timestamp;
  user: UserRef;
  body: string;
  files: readonly FileRef[];
  edited: boolean;
  deleted: boolean;
  client_id: string | undefined;
  replyTo: Seq | undefined;
  /** The message that its thread begins with. */
  thread: Seq | undefined;
  /** How many answers the thread has that begins with it. */
  replies: number;
  reactions: readonly Reaction[];
  mentions: readonly Mention[];
  pinned: boolean;
  /** Everything up to this seq is in it already: an amendment that comes again changes nothing. */
  asOf: Seq;
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
/** What changes a message that was written before: its text, its end, its signs, its pin, or an answer in its thread. */
export type Amendment = EditEvent | (DeleteEvent & { thread?: Seq | undefined }) | ReactionEvent | PinEvent | (MessageEvent & { thread: Seq });

/**
 * Adds events to what is shown. Those that amend a message which is not shown change nothing. `self` is who reads;
 * `told` is told of each amendment, to apply it again to pages that are read later.
 */
export function fold(
  items: readonly Item[], events: readonly RoomEvent[], self: Id | undefined, told: (amendment: Amendment) => void = () => {},
): Item[] {
  const folded = [...items];
  for (const event of events) {
    const item = asItem(event);
    if (item !== undefined) folded.push(item);
    if (!isAmendment(event)) continue;
    const amendment = withThread(folded, event);
    amend(folded, amendment, self);
    told(amendment);
  }
  return folded;
}

/** An answer that is deleted is one less in its thread; the event does not say in which. */
export function withThread(items: readonly Item[], event: Amendment): Amendment {
  if (event.kind !== "delete") return event;
  const answer = items[indexOfSeq(items, event.target)];
  // One that came as deleted was never counted.
  return answer?.type === "message" && !answer.deleted ? { ...event, thread: answer.thread } : event;
}

/** Applies amendments again to a page that may have been read before they were made. */
export function applyAmendments(items: Item[], amendments: Iterable<Amendment>, self: Id | undefined): Item[] {
  for (const amendment of amendments) amend(items, amendment, self);
  return items;
}

export function isAmendment(event: RoomEvent): event is Amendment {
  return "target" in event || (event.kind === "message" && typeof event.thread === "number");
}

/** A page of messages, with the notices that stand between them, as items in order. `head`: what the page knows of. */
export function pageItems(messages: readonly Message[], notices: readonly RoomEvent[], head: Seq): Item[] {
  const items: Item[] = messages.map((message) => asMessage(message, head));
  for (const event of notices) {
    const item = event.kind === "message" ? undefined : asItem(event);
    if (item !== undefined) items.push(item);
  }
  return items.sort((a, b) => a.seq - b.seq);
}

function asItem(event: RoomEvent): Item | undefined {
  switch (event.kind) {
    case "message":
      // What answered it comes as events of its own, after it.
      return asMessage({ ...event, reactions: [], pinned: false }, event.seq);
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

function asMessage(message: Message | MessageEvent, asOf: Seq): MessageItem {
  const deleted = typeof message.deleted_at === "string";
  return {
    type: "message",
    seq: message.seq,
    id: message.id,
    at: message.at,
    user: message.user,
    body: deleted ? "" : message.body,
    files: deleted ? [] : (message.files ?? []),
    edited: typeof message.edited_at === "string",
    deleted,
    client_id: message.client_id ?? undefined,
    replyTo: message.reply_to ?? undefined,
    thread: message.thread ?? undefined,
    replies: ("replies" in message ? message.replies : undefined) ?? 0,
    reactions: message.reactions ?? [],
    mentions: message.mentions ?? [],
    pinned: message.pinned === true,
    asOf,
  };
}

function amend(items: Item[], event: Amendment, self: Id | undefined): void {
  if ((event.kind === "message" && event.deleted_at == null) || event.kind === "delete") {
    const by = event.kind === "message" ? 1 : -1;
    change(items, event.thread, event.seq, (root) => ({ ...root, replies: Math.max(0, root.replies + by) }));
  }
  if (event.kind !== "message") change(items, event.target, event.seq, (item) => (item.deleted ? item : amended(item, event, self)));
}

/** Changes a message, unless what is shown of it is newer. */
function change(items: Item[], seq: Seq | undefined, asOf: Seq, how: (item: MessageItem) => MessageItem): void {
  const index = seq === undefined ? -1 : indexOfSeq(items, seq);
  const item = items[index];
  if (item?.type === "message" && asOf > item.asOf) items[index] = { ...how(item), asOf };
}

function amended(item: MessageItem, event: Exclude<Amendment, MessageEvent>, self: Id | undefined): MessageItem {
  switch (event.kind) {
    case "edit":
      return { ...item, body: event.body, mentions: event.mentions ?? [], edited: true };
    case "delete":
      return { ...item, body: "", files: [], deleted: true, reactions: [], mentions: [], pinned: false };
    case "pin":
    case "unpin":
      return { ...item, pinned: event.kind === "pin" };
    case "react":
    case "unreact":
      return { ...item, reactions: reacted(item.reactions, event, event.user.id === self) };
  }
}

/** The reactions after one came or went. */
export function reacted(before: readonly Reaction[], { kind, emoji }: Pick<ReactionEvent, "kind" | "emoji">, mine: boolean): Reaction[] {
  const by = kind === "react" ? 1 : -1;
  const known = before.find((reaction) => reaction.emoji === emoji);
  if (known === undefined) return by > 0 ? [...before, { emoji, count: 1, me: mine }] : [...before];
  const after = { emoji, count: known.count + by, me: mine ? by > 0 : known.me };
  return before.map((reaction) => (reaction === known ? after : reaction)).filter((reaction) => reaction.count > 0);
}

/** By halves, for items are in order; -1 when it is not shown. */
export function indexOfSeq(items: readonly Item[], seq: Seq): number {
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
  if (item.replyTo !== undefined || item.thread !== before.thread) return false;
  return sameDay(before.at, item.at) && Date.parse(item.at) - Date.parse(before.at) < groupWithinMs;
}

/** Whether two moments are on one day, here. */
export function sameDay(a: Timestamp, b: Timestamp): boolean {
  return a === b || new Date(a).toDateString() === new Date(b).toDateString();
}

/** Whether a message calls somebody, by name or with everybody. */
export function mentions(message: { mentions?: readonly Mention[] }, user: Id | undefined): boolean {
  return (message.mentions ?? []).some((mention) => mention.id == null || mention.id === user);
}
