/** One room of the signed-in person: what is known of it and what is shown of its log. It asks the server nothing. */

import { batch, computed, signal } from "@preact/signals";
import type { OutboxEntry } from "../connection/outbox";
import type {
  Id, Member, Message, MyRoom, OnlineUser, PresenceState, RoomEvent, Seq, SubscribedFrame, UserRef,
} from "../protocol";
import { type Amendment, applyAmendments, fold, type Item } from "./timeline";

/** What stays in memory of a room that nobody looks at. */
const keptItems = 200;
/** Typing ends by itself after this long, should its end be lost. */
export const typingEndsMs = 6_000;

export class RoomState {
  readonly id: Id;
  readonly info;
  readonly items = signal<readonly Item[]>([]);
  readonly unsent = signal<readonly OutboxEntry[]>([]);
  /** How loading what is older goes. */
  readonly loading = signal<"idle" | "busy" | "failed">("idle");
  /** Whether there is nothing older that this person may read. */
  readonly complete = signal(false);
  /** Whether the first snapshot has come: before it, an empty room is only one that we know nothing of. */
  readonly followed = signal(false);
  readonly unread;
  readonly read;
  /** Where the line between read and unread stands while the room is open. */
  readonly divider = signal<Seq | undefined>(undefined);
  readonly lastMessage;
  readonly online = signal<ReadonlyMap<Id, OnlineUser>>(new Map());
  /** Counts everybody who is here, also those whose names a big room leaves out. */
  readonly onlineCount = signal(0);
  readonly typing = signal<readonly UserRef[]>([]);
  /** Up to where others have read, as far as was heard. */
  readonly reads = signal<ReadonlyMap<Id, Seq>>(new Map());
  readonly members = signal<readonly Member[] | undefined>(undefined);
  readonly membersCursor = signal<string | undefined>(undefined);
  /** Latest activity, to order the list by. */
  readonly activeAt = computed(() => this.lastMessage.value?.at ?? this.info.value.created_at ?? "");
  /** What is written but not sent, so that it waits here while another room is open. */
  draft = "";
  /** The lowest seq that is loaded, and the lowest that may be. */
  private lowest: Seq | undefined;
  private first: Seq = 1;
  /** Up to where messages are counted in `unread`. */
  private counted: Seq;
  private readonly amendments = new Map<Seq, Amendment>();

  constructor(room: MyRoom) {
    this.id = room.id;
    this.info = signal(room);
    this.unread = signal(room.unread ?? 0);
    this.read = signal(room.read);
    this.counted = room.head ?? 0;
    this.lastMessage = signal<Pick<Message, "user" | "body" | "at" | "seq" | "deleted_at"> | null>(room.last_message ?? null);
  }

  /** The page of the log that comes before what is loaded: above `after`, `limit` events. */
  olderPage(size: number): { after: Seq; limit: number } | undefined {
    if (this.lowest === undefined || this.lowest <= this.first) return undefined;
    const after = Math.max(this.first - 1, this.lowest - 1 - size);
    return { after, limit: this.lowest - 1 - after };
  }

  prepend(after: Seq, events: readonly RoomEvent[]): void {
    const lowest = this.lowest;
    if (lowest === undefined) return;
    const older = applyAmendments(fold([], events.filter((event) => event.seq < lowest)), this.amendments.values());
    this.lowest = after + 1;
    batch(() => {
      this.items.value = [...older, ...this.items.value];
      this.complete.value = this.lowest === undefined || this.lowest <= this.first;
    });
  }

  snapshot(frame: SubscribedFrame, events: readonly RoomEvent[]): void {
    batch(() => {
      if (frame.reset === true || this.lowest === undefined) {
        this.items.value = [];
        this.lowest = events[0]?.seq ?? frame.head + 1;
        this.amendments.clear();
      }
      this.first = frame.first;
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

  add(events: readonly RoomEvent[]): void {
    if (events.length === 0) return;
    for (const event of events) {
      if (event.kind === "edit" || event.kind === "delete") this.amended(event);
      if (event.kind === "message" && event.deleted_at == null) this.lastMessage.value = event;
    }
    this.items.value = fold(this.items.value, events);
  }

  private amended(event: Amendment): void {
    this.amendments.set(event.target, event);
    const last = this.lastMessage.value;
    if (last?.seq !== event.target) return;
    this.lastMessage.value =
      event.kind === "edit" ? { ...last, body: event.body } : { ...last, body: "", deleted_at: event.at };
  }

  /** Takes what the server says of the room, unless more was heard since it said so. */
  refresh(room: MyRoom): void {
    batch(() => {
      this.info.value = room;
      this.read.value = Math.max(room.read, this.read.value);
      if ((room.head ?? 0) >= this.counted) {
        this.unread.value = room.unread ?? 0;
        this.counted = room.head ?? 0;
      }
      const last = room.last_message;
      if (last != null && last.seq > (this.lastMessage.value?.seq ?? 0)) this.lastMessage.value = last;
    });
  }

  /** Counts another person's message as unread, if it is not counted or read yet. */
  count(seq: Seq): boolean {
    if (seq <= this.counted) return false;
    this.counted = seq;
    if (seq <= this.read.value) return false;
    this.unread.value += 1;
    return true;
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

  /** Lets go of what is far up, once nobody looks: it can be loaded again. */
  trim(): void {
    const items = this.items.value;
    if (items.length <= keptItems) return;
    const kept = items.slice(-keptItems);
    batch(() => {
      this.items.value = kept;
      this.lowest = kept[0]?.seq ?? this.lowest;
      this.complete.value = false;
    });
  }
}
