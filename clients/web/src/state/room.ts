/** One room of the signed-in person: what is known of it and what is shown of its log. It asks the server nothing. */

import { batch, computed, signal } from "@preact/signals";
import type {
  Id, Member, Message, MessagePage, MyRoom, OnlineUser, OutboxEntry, PresenceState, Room, RoomEvent, Seq, SubscribedFrame, UserRef,
} from "@chatx/sdk";
import { me } from "./session";
import {
  type Amendment, applyAmendments, fold, indexOfSeq, isAmendment, type Item, mentions, type MessageItem, pageItems, withThread,
} from "./timeline";

/** What stays in memory of a room that nobody looks at. */
const keptItems = 200;
/** However far one reads, what is further away than this is let go of: it can be loaded again. */
const mostItems = 5_000;
/** How many amendments are remembered for pages that are being read while they are made. */
const keptAmendments = 500;
/** How many live events are kept for the way back, while one reads what is old. */
const keptBelow = 1_000;
/** Typing ends by itself after this long, should its end be lost. */
export const typingEndsMs = 6_000;

/** What is needed of a message to tell of it in one line. */
export type LastMessage = Pick<Message, "user" | "body" | "files" | "at" | "seq" | "deleted_at">;

export class RoomState {
  readonly id: Id;
  readonly info;
  /** A part of the log without holes. It ends at the newest event unless one reads what is old; see `attached`. */
  readonly items = signal<readonly Item[]>([]);
  /** Whether `items` ends where the log does. */
  readonly attached = signal(true);
  readonly unsent = signal<readonly OutboxEntry[]>([]);
  /** How loading what is older, or newer, goes. */
  readonly loading = signal<"idle" | "busy" | "failed">("idle");
  /** Whether there is nothing older that this person may read. */
  readonly complete = signal(false);
  /** Whether the first snapshot has come: before it, an empty room is only one that we know nothing of. */
  readonly followed = signal(false);
  readonly unread;
  /** How many of the unread messages name this person. */
  readonly mentions;
  readonly read;
  /** Where the line between read and unread stands while the room is open. */
  readonly divider = signal<Seq | undefined>(undefined);
  /** A message that somebody asked to see: the log goes there. */
  readonly sought = signal<Seq | undefined>(undefined);
  readonly lastMessage;
  readonly online = signal<ReadonlyMap<Id, OnlineUser>>(new Map());
  /** Counts everybody who is here, also those whose names a big room leaves out. */
  readonly onlineCount = signal(0);
  readonly typing = signal<readonly UserRef[]>([]);
  /** Up to where others have read, as far as was heard. */
  readonly reads = signal<ReadonlyMap<Id, Seq>>(new Map());
  readonly members = signal<readonly Member[] | undefined>(undefined);
  /** How many reports wait for moderators; undefined where that is not known, or not for this person to know. */
  readonly openReports = signal<number | undefined>(undefined);
  readonly membersCursor = signal<string | undefined>(undefined);
  /** Latest activity, to order the list by. */
  readonly activeAt = computed(() => this.lastMessage.value?.at ?? this.info.value.created_at ?? "");
  /** The lowest seq that is loaded, and the lowest that may be. */
  private lowest: Seq | undefined;
  /** Whether no snapshot has come because the room is archived. */
  private isResting = false;
  private first: Seq = 1;
  /** Up to where events are counted in `unread` and `mentions`. */
  private counted: Seq;
  /** Which of the unread messages above `told` call this person; of those up to it only the server knows. */
  private calling = new Set<Seq>();
  private told: Seq;
  /** Who came and went since the server said how many there are. */
  private passages: { seq: Seq; by: number }[] = [];
  /** Whether only the server knows how much is unread. */
  isMiscounted = false;
  private amendments: Amendment[] = [];
  /** What came while `items` did not reach the end. */
  private below: RoomEvent[] = [];

  constructor(room: MyRoom) {
    this.id = room.id;
    this.info = signal(room);
    this.unread = signal(room.unread ?? 0);
    this.mentions = signal(room.mentions ?? 0);
    this.read = signal(room.read);
    this.told = this.counted = room.head ?? 0;
    this.lastMessage = signal<LastMessage | null>(room.last_message ?? null);
  }

  /** Above which seq the next older messages end; undefined when there are none, or nothing is known yet. */
  get olderThan(): Seq | undefined {
    return this.lowest === undefined || this.lowest <= this.first ? undefined : this.lowest;
  }

  get newerThan(): Seq {
    return this.items.value.at(-1)?.seq ?? 0;
  }

  /** Takes the page that ends below `before`. */
  prepend(before: Seq, page: MessagePage, notices: readonly RoomEvent[]): void {
    if (this.lowest !== before) return;
    const from = page.has_more ? (page.messages[0]?.seq ?? this.first) : this.first;
    const older = this.pageOf(page, notices.filter((event) => event.seq >= from && event.seq < before));
    this.lowest = from;
    const items = [...older, ...this.items.value];
    batch(() => {
      this.items.value = items.slice(0, mostItems);
      this.complete.value = this.lowest === undefined || this.lowest <= this.first;
      if (items.length <= mostItems) return;
      this.attached.value = false;
      this.below = [];
    });
  }

  /** Takes the page that begins after the last item, while what is shown does not reach the end. */
  append(page: MessagePage): void {
    if (this.attached.value) return;
    const newer = this.pageOf(page, []).filter((item) => item.seq > this.newerThan);
    const items = [...this.items.value, ...newer];
    batch(() => {
      this.items.value = items.slice(-mostItems);
      if (items.length > mostItems) {
        this.lowest = this.items.value[0]?.seq ?? this.lowest;
        this.complete.value = false;
      }
      if (!page.has_more) this.attach(page.head);
    });
  }

  /** Shows another part of the log: the one around a message. */
  moveTo(page: MessagePage): void {
    batch(() => {
      this.items.value = this.pageOf(page, []);
      this.lowest = this.items.value[0]?.seq ?? this.first;
      this.complete.value = this.lowest <= this.first;
      this.attached.value = false;
      this.below = [];
      if ((page.messages.at(-1)?.seq ?? 0) >= (this.lastMessage.value?.seq ?? 0)) this.attach(page.head);
    });
  }

  /** Goes back to the end of the log, which is then loaded again from there. */
  moveToEnd(head: Seq): void {
    if (this.attached.value) return;
    batch(() => {
      this.items.value = [];
      this.lowest = head + 1;
      this.complete.value = this.lowest <= this.first;
      this.attached.value = true;
      this.below = [];
    });
  }

  /** It is archived, and so not followed: what it has is read as what is older. */
  rest(): void {
    if (this.lowest !== undefined) return;
    batch(() => {
      this.lowest = (this.info.value.head ?? 0) + 1;
      this.isResting = true;
      this.followed.value = true;
    });
  }

  snapshot(frame: SubscribedFrame, events: readonly RoomEvent[]): void {
    batch(() => {
      if (frame.reset === true || this.lowest === undefined || this.isResting) {
        this.isResting = false;
        this.items.value = [];
        this.attached.value = true;
        this.below = [];
        this.lowest = events[0]?.seq ?? frame.head + 1;
        this.amendments = [];
      }
      this.first = frame.first;
      this.letGoBelow(frame.first);
      this.complete.value = this.lowest <= this.first;
      this.followed.value = true;
      // What failed while there was no connection may work now.
      if (this.loading.value === "failed") this.loading.value = "idle";
      const here = frame.online?.users ?? [];
      this.online.value = new Map(here.map((user) => [user.id, user]));
      this.onlineCount.value = frame.online?.count ?? here.length;
      this.add(events);
    });
  }

  /** Who comes back to a room that shows what was said since one joined reads what came before no more. */
  private letGoBelow(first: Seq): void {
    if ((this.lastMessage.value?.seq ?? first) < first) this.lastMessage.value = null;
    if ((this.lowest ?? first) >= first) return;
    this.lowest = first;
    this.items.value = this.items.value.filter((item) => item.seq >= first);
  }

  add(events: readonly RoomEvent[]): void {
    if (events.length === 0) return;
    for (const event of events) if (event.kind === "message") this.lastMessage.value = event;
    if (this.attached.value) {
      this.items.value = fold(this.items.value, events, me.value?.id, (amendment) => this.amended(amendment));
    } else {
      // What is shown may be amended all the same.
      const amendments = events.filter(isAmendment).map((event) => withThread(this.items.value, event));
      for (const amendment of amendments) this.amended(amendment);
      this.items.value = applyAmendments([...this.items.value], amendments, me.value?.id);
      this.below = [...this.below, ...events].slice(-keptBelow);
    }
  }

  /** Takes what the server says of the room itself, unless it has said something newer. */
  learn(room: Room): void {
    const head = room.head ?? 0;
    if (head < (this.info.value.head ?? 0)) return;
    this.passages = this.passages.filter((passage) => passage.seq > head);
    const members = this.passages.reduce((sum, passage) => sum + passage.by, room.members);
    // What it leaves out is not so any more, but for what is about this person alone.
    const { read, mentions, last_message, unread } = this.info.value;
    const next = { read, mentions, last_message, ...room, unread: room.unread ?? unread, members };
    // Lists are read again and again: what has not changed is not drawn again.
    if (JSON.stringify({ ...this.info.value, ...next }) !== JSON.stringify(this.info.value)) this.info.value = next;
  }

  /** Counts who came or went at `seq`, unless the server has counted them already. */
  passage(seq: Seq, by: number): void {
    const info = this.info.value;
    if (by === 0 || seq <= (info.head ?? 0)) return;
    this.passages = [...this.passages.slice(1 - keptAmendments), { seq, by }];
    this.info.value = { ...info, members: Math.max(1, info.members + by) };
  }

  /** Takes what the server says of the room, unless more was heard since it said so. */
  refresh(room: MyRoom): void {
    batch(() => {
      this.learn(room);
      this.read.value = Math.max(room.read, this.read.value);
      const last = room.last_message ?? null;
      if ((room.head ?? 0) >= this.counted) {
        this.lastMessage.value = last;
        this.unread.value = room.unread ?? 0;
        this.mentions.value = room.mentions ?? 0;
        this.told = this.counted = room.head ?? 0;
        this.calling.clear();
        this.isMiscounted = false;
      } else if (last !== null && last.seq > (this.lastMessage.value?.seq ?? 0)) {
        this.lastMessage.value = last;
      }
    });
  }

  /** Counts what an event makes unread, or takes from it. */
  count(event: RoomEvent): void {
    if (event.seq <= this.counted) return;
    this.counted = event.seq;
    const self = me.value?.id;
    if (event.kind === "message" && event.user.id === self) {
      // Who writes has read what came before, on whatever device.
      this.read.value = Math.max(this.read.value, event.seq);
      this.nothingUnread();
    } else if (event.kind === "message" && event.seq > this.read.value) {
      this.unread.value += 1;
      this.calls(event.seq, event.deleted_at == null && mentions(event, self));
    } else if ((event.kind === "edit" || event.kind === "delete") && event.target > this.read.value) {
      const calls = event.kind === "edit" && event.user.id !== self && mentions(event, self);
      if (event.target > this.told) this.calls(event.target, calls);
      else if (calls || this.mentions.value > 0) this.isMiscounted = true;
    }
  }

  nothingUnread(): void {
    this.unread.value = 0;
    this.mentions.value = 0;
    this.calling.clear();
    this.isMiscounted = false;
  }

  private calls(seq: Seq, does: boolean): void {
    if (does === this.calling.has(seq)) return;
    if (does) this.calling.add(seq);
    else this.calling.delete(seq);
    this.mentions.value += does ? 1 : -1;
  }

  /** Whether that place of the log is among what is loaded. */
  holds(seq: Seq): boolean {
    const above = this.lowest !== undefined && seq >= this.lowest;
    return above && (this.attached.value || seq <= this.newerThan);
  }

  message(seq: Seq): MessageItem | undefined {
    const item = this.items.value[indexOfSeq(this.items.value, seq)];
    return item?.type === "message" ? item : undefined;
  }

  /** A person of the room, from wherever their name is known. */
  person(id: Id): UserRef | undefined {
    const known = this.online.value.get(id) ?? this.members.value?.find((member) => member.user.id === id)?.user;
    if (known !== undefined) return known;
    const written = this.items.value.find((item) => item.type === "message" && item.user.id === id);
    return written?.type === "message" ? written.user : undefined;
  }

  presence(user: UserRef, state: PresenceState): void {
    const before = this.online.value.has(user.id);
    const online = new Map(this.online.value);
    if (state === "offline") online.delete(user.id);
    else online.set(user.id, { ...user, state });
    const change = Number(state !== "offline") - Number(before);
    // A big room names nobody in its snapshot: there, somebody who turns up may have been counted already.
    if (this.online.value.size > 0 || this.onlineCount.value === 0) {
      this.onlineCount.value = Math.max(online.size, this.onlineCount.value + change);
    }
    this.online.value = online;
  }

  setTyping(user: UserRef, on: boolean): void {
    const others = this.typing.value.filter((typist) => typist.id !== user.id);
    this.typing.value = on ? [...others, user] : others;
  }

  /** Lets go of all but the newest, once nobody looks: it can be loaded again. */
  trim(kept = keptItems): void {
    const items = this.items.value;
    if (!this.attached.value || items.length <= kept) return;
    batch(() => {
      this.items.value = items.slice(-kept);
      this.lowest = this.items.value[0]?.seq ?? this.lowest;
      this.complete.value = false;
    });
  }

  private pageOf(page: MessagePage, notices: readonly RoomEvent[]): Item[] {
    return applyAmendments(pageItems(page.messages, notices, page.head), this.amendments, me.value?.id);
  }

  /** What is shown reaches `head`; what came since goes on from there, unless too much came to be kept. */
  private attach(head: Seq): void {
    const newer = this.below.filter((event) => event.seq > head);
    if ((newer[0]?.seq ?? head + 1) > head + 1) return;
    this.items.value = fold(this.items.value, newer, me.value?.id);
    this.below = [];
    this.attached.value = true;
  }

  private amended(event: Amendment): void {
    this.amendments = [...this.amendments.slice(1 - keptAmendments), event];
    const last = this.lastMessage.value;
    if (event.kind === "message" || last?.seq !== event.target) return;
    if (event.kind === "edit") this.lastMessage.value = { ...last, body: event.body };
    if (event.kind === "delete") this.lastMessage.value = { ...last, body: "", files: [], deleted_at: event.at };
  }
}
