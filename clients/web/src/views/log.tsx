/**
 * A room's log: it draws what is in sight of however many messages, loads more as one comes near an end, and stays where
 * one is when anything arrives.
 */

import { useSignalEffect } from "@preact/signals";
import { Fragment } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Seq, UserRef } from "@chatx/sdk";
import { loadNewer, loadOlder, seek } from "../state/actions";
import { type Block, blockAt, blockOf, type Drawn, Heights, toBlocks } from "../state/blocks";
import { markReadIfSeen, status } from "../state/chat";
import { nameOf, roomTitle } from "../state/names";
import { atEnd, visible } from "../state/page";
import { atLeast } from "../state/permissions";
import type { RoomState } from "../state/room";
import { chat, me } from "../state/session";
import { dayName } from "../state/times";
import { continues, indexOfSeq, type Item, sameDay } from "../state/timeline";
import { strings } from "../strings";
import { stepBetweenMessages } from "./focus";
import { Icon } from "./icons";
import { type MessageActions, Row, Unsent } from "./message";

/** This close to the end counts as the end. */
const endWithinPx = 60;
/** This close to what is not loaded, it is loaded. */
const loadWithinPx = 900;
/** So much is drawn above and below what is in sight. */
const marginPx = 700;
/** A log that grows while one looks at its end lets go of its top. */
const mostItems = 10_000;
const keptItems = 2_000;
/** How long a message that was sought stands out. */
const soughtMs = 2_400;

interface LogProps {
  room: RoomState;
  editing: Seq | undefined;
  actions: MessageActions;
}

/** A line that stays where it is, in pixels from the upper edge of what is in sight. */
interface Anchor {
  seq: Seq;
  top: number;
  /** How far down in its block it stands; unknown of one that is not drawn yet. */
  within?: number;
}

export function Log({ room, editing, actions }: LogProps) {
  const view = useRef<HTMLDivElement>(null);
  const lines = useRef<HTMLDivElement>(null);
  const heights = useRef(new Heights());
  const anchor = useRef<Anchor | undefined>(undefined);
  const [, redraw] = useState(0);
  const [found, setFound] = useState<Seq>();
  /** The message that one goes to, until it is drawn and has the focus. */
  const goneTo = useRef<Seq | undefined>(undefined);
  /** The first line in sight, as last seen. */
  const [topSeq, setTopSeq] = useState<Seq>();

  const items = room.items.value;
  const unsent = room.unsent.value;
  const blocks = useMemo(() => toBlocks(items), [items]);
  /** The blocks as last drawn, for what is called later. */
  const known = useRef(blocks);
  known.current = blocks;
  const drawn = useRef<Drawn>({ from: 0, to: 0, above: 0, below: 0 });
  drawn.current = range();

  /** What is to be drawn from where the view stands; at the end it is counted from below. */
  function range(): Drawn {
    const element = view.current;
    const size = element?.clientHeight ?? 800;
    const total = heights.current.offset(blocks, Infinity);
    if (anchor.current !== undefined && !atEnd.value) {
      const { seq, top, within } = anchor.current;
      const key = blockOf(seq);
      const block = blockAt(blocks, key);
      const from = heights.current.offset(blocks, key) + (within ?? 0) - top;
      // It may be the last of its block.
      const more = within === undefined && block !== undefined ? heights.current.of(block) : 0;
      return heights.current.drawn(blocks, from - marginPx, from + more + size + marginPx);
    }
    if (atEnd.value || element === null) return heights.current.drawn(blocks, total - size - marginPx, Infinity);
    // What is left out above the lines stands between them and where the log begins.
    const top = element.scrollTop - (lines.current?.offsetTop ?? 0) + drawn.current.above;
    return heights.current.drawn(blocks, top - marginPx, top + size + marginPx);
  }

  // After each drawing: what was guessed is measured, and the line that one looks at is put back in its place.
  useLayoutEffect(() => {
    const element = view.current;
    if (element === null) return;
    measure();
    keepPlace();
    if (goneTo.current !== undefined) {
      lineOf(goneTo.current)?.focus({ preventScroll: true });
      goneTo.current = undefined;
    }
    // Who flew past everything that was drawn is somewhere again.
    if (anchor.current === undefined && !atEnd.value) takeAnchor();
    if (atEnd.value && items.length > mostItems) room.trim(keptItems);
  });

  /** Whether a height was learnt. */
  function measure(): boolean {
    let learnt = false;
    for (const child of lines.current?.children ?? []) {
      if (!(child instanceof HTMLElement)) continue;
      const block = blockAt(known.current, Number(child.dataset["block"]));
      if (block !== undefined) learnt = heights.current.measure(block, child.offsetHeight) || learnt;
    }
    return learnt;
  }

  function keepPlace(): void {
    const element = view.current;
    if (element === null) return;
    if (atEnd.value) element.scrollTop = element.scrollHeight;
    else if (anchor.current !== undefined) {
      const line = lineOf(anchor.current.seq);
      if (line === null) return;
      const off = line.getBoundingClientRect().top - element.getBoundingClientRect().top - anchor.current.top;
      if (Math.abs(off) >= 1) element.scrollTop += off;
    }
  }

  function lineOf(seq: Seq): HTMLElement | null {
    return lines.current?.querySelector<HTMLElement>(`[data-seq="${seq}"]`) ?? null;
  }

  /** Remembers the first line in sight. */
  function takeAnchor(): void {
    const element = view.current;
    if (element === null || lines.current === null) return;
    const edge = element.getBoundingClientRect().top;
    for (const block of lines.current.children) {
      const { top, bottom } = block.getBoundingClientRect();
      if (bottom <= edge) continue;
      for (const line of block.querySelectorAll<HTMLElement>("[data-seq]")) {
        const box = line.getBoundingClientRect();
        if (box.bottom <= edge) continue;
        // Where only a gap is in sight, nothing is to be kept.
        const isSeen = box.top < edge + element.clientHeight;
        anchor.current = isSeen ? { seq: Number(line.dataset["seq"]), top: box.top - edge, within: box.top - top } : undefined;
        setTopSeq(anchor.current?.seq);
        return;
      }
    }
    anchor.current = undefined;
  }

  // One's own new message is always shown.
  const writtenBefore = useRef(unsent.length);
  useLayoutEffect(() => {
    if (unsent.length > writtenBefore.current) toEnd();
    writtenBefore.current = unsent.length;
  }, [unsent.length]);

  // What grows later (the composer, a keyboard, a font) does not push the end out of sight.
  useEffect(() => {
    let width = view.current?.clientWidth ?? 0;
    const observer = new ResizeObserver(() => {
      const element = view.current;
      if (element === null) return;
      if (element.clientWidth !== width) heights.current.forget();
      width = element.clientWidth;
      measure();
      keepPlace();
      loadNearby();
    });
    if (view.current !== null) observer.observe(view.current);
    if (lines.current !== null) observer.observe(lines.current);
    return () => observer.disconnect();
  }, []);

  useEffect(() => {
    atEnd.value = true;
    return () => {
      atEnd.value = true;
      room.moveToEnd(chat.live?.head(room.id) ?? 0);
      room.trim();
    };
  }, []);

  useSignalEffect(() => {
    const waiting = room.followed.value && !room.complete.value && room.items.value.length === 0;
    if (waiting && room.loading.value === "idle" && room.attached.value) void loadOlder(room);
  });

  // Somebody asked to see a message that is loaded: a third down from the top.
  useSignalEffect(() => {
    const seq = room.sought.value;
    if (seq === undefined || indexOfSeq(room.items.value, seq) < 0) return;
    room.sought.value = undefined;
    atEnd.value = false;
    anchor.current = { seq, top: (view.current?.clientHeight ?? 600) / 3 };
    goneTo.current = seq;
    setFound(seq);
    redraw((count) => count + 1);
    setTimeout(() => setFound((now) => (now === seq ? undefined : now)), soughtMs);
  });

  function toEnd(): void {
    anchor.current = undefined;
    room.moveToEnd(chat.live?.head(room.id) ?? 0);
    atEnd.value = true;
    redraw((count) => count + 1);
    keepPlace();
  }

  /** What was pressed is then gone. */
  function leaveForEnd(): void {
    toEnd();
    view.current?.focus({ preventScroll: true });
  }

  /** A tall window may show all that is loaded, and then nothing can be scrolled: there is more to load. */
  function loadNearby(): void {
    const element = view.current;
    if (element === null || !room.followed.value || room.loading.value !== "idle") return;
    const fromEnd = element.scrollHeight - element.scrollTop - element.clientHeight;
    if (!room.complete.value && element.scrollTop < loadWithinPx) void loadOlder(room);
    else if (!room.attached.value && fromEnd < loadWithinPx) void loadNewer(room);
  }

  function onScroll(): void {
    const element = view.current;
    // Where one was, when one is about to be elsewhere, is no place to keep.
    if (element === null || goneTo.current !== undefined) return;
    const fromEnd = element.scrollHeight - element.scrollTop - element.clientHeight;
    atEnd.value = fromEnd < endWithinPx && room.attached.value;
    takeAnchor();
    if (atEnd.value && visible.value) markReadIfSeen(room);
    const { from, to } = range();
    if (from !== drawn.current.from || to !== drawn.current.to) {
      keepFocus(from, to);
      redraw((count) => count + 1);
    }
    loadNearby();
  }

  /** A line that is drawn no more leaves the focus to the log. */
  function keepFocus(from: number, to: number): void {
    const block = document.activeElement?.closest<HTMLElement>("[data-block]");
    if (block == null || lines.current?.contains(block) !== true) return;
    const key = Number(block.dataset["block"]);
    if (!known.current.slice(from, to).some((one) => one.key === key)) view.current?.focus({ preventScroll: true });
  }

  const context: LineContext = {
    room, items, editing, actions, found,
    mayDelete: atLeast(room.info.value.role, "moderator"),
    divider: dividerIndex(room),
  };
  const last = items.at(-1);
  const self = me.value;
  const { from, to, above, below } = drawn.current;
  return (
    <div class="log-frame">
      <UnreadAbove key={room.divider.value} room={room} topSeq={topSeq} />
      <div
        class="log"
        ref={view}
        onScroll={onScroll}
        onKeyDown={stepBetweenMessages}
        role="log"
        aria-label={strings.conversation.log(roomTitle(room))}
        aria-live={room.loading.value === "busy" ? "off" : "polite"}
        tabIndex={0}
        data-testid="log"
      >
        <div class="log-content">
          <Top room={room} />
          <Gap height={above} />
          <div class="lines" ref={lines}>
            {blocks.slice(from, to).map((block) => (
              <div key={block.key} class="block" data-block={block.key}>
                <Lines block={block} context={context} />
              </div>
            ))}
          </div>
          <Gap height={below} />
          {room.attached.value && self !== undefined && unsent.map((entry, index) => (
            <Unsent
              key={entry.client_id}
              entry={entry}
              user={self}
              live={status.value.kind === "live"}
              lead={index === 0 && !(last?.type === "message" && last.user.id === self.id && sameDay(last.at, entry.at))}
            />
          ))}
          <ReadBy room={room} />
        </div>
      </div>
      {(!atEnd.value || !room.attached.value) && (
        <button type="button" class="to-end" onClick={leaveForEnd} aria-label={strings.conversation.toEnd} data-testid="to-end">
          {room.unread.value > 0 && <span>{strings.conversation.unreadBelow(room.unread.value)}</span>}
          <Icon name="down" />
        </button>
      )}
    </div>
  );
}

/** Stands for what is not drawn. */
function Gap({ height }: { height: number }) {
  const element = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    if (element.current !== null) element.current.style.height = `${height}px`;
  }, [height]);
  return <div ref={element} aria-hidden="true" />;
}

interface LineContext {
  room: RoomState;
  items: readonly Item[];
  editing: Seq | undefined;
  actions: MessageActions;
  found: Seq | undefined;
  mayDelete: boolean;
  /** Before which item the line stands that says where the unread begins; -1 for nowhere. */
  divider: number;
}

function Lines({ block, context }: { block: Block; context: LineContext }) {
  const { room, items, divider, found, editing } = context;
  return items.slice(block.start, block.end).map((item, offset) => {
    const index = block.start + offset;
    const before = items[index - 1];
    const day = before === undefined || !sameDay(before.at, item.at);
    const unread = index === divider;
    return (
      <Fragment key={item.seq}>
        {day && <p class="day"><span>{dayName(item.at)}</span></p>}
        {unread && <p class="unread-line" role="separator"><span>{strings.conversation.newMessages}</span></p>}
        <Row
          item={item}
          room={room}
          lead={day || unread || !continues(before, item)}
          own={item.type === "message" && item.user.id === me.value?.id}
          mayDelete={context.mayDelete}
          editing={editing === item.seq}
          found={found === item.seq}
          replied={item.type === "message" && item.replyTo !== undefined ? room.message(item.replyTo) : undefined}
          actions={context.actions}
        />
      </Fragment>
    );
  });
}

/** While the first unread message is further up, and was not seen yet: the way there. */
function UnreadAbove({ room, topSeq }: { room: RoomState; topSeq: Seq | undefined }) {
  const [seen, setSeen] = useState(false);
  const divider = room.divider.value;
  const above = divider !== undefined && topSeq !== undefined && divider + 1 < topSeq;
  useEffect(() => {
    if (divider !== undefined && topSeq !== undefined && !above) setSeen(true);
  }, [above, topSeq]);
  if (divider === undefined || !above || seen) return null;
  return (
    <button type="button" class="unread-above" data-testid="to-unread" onClick={() => void seek(room, divider + 1)}>
      <Icon name="up" />
      {strings.conversation.toUnread}
    </button>
  );
}

/** What stands above the first line: more to come, a failure, or the room's beginning. */
function Top({ room }: { room: RoomState }) {
  const info = room.info.value;
  if (room.loading.value === "failed") {
    return (
      <p class="log-top">
        {strings.conversation.olderFailed}{" "}
        <button type="button" class="link" onClick={() => void (room.attached.value ? loadOlder(room) : loadNewer(room))}>
          {strings.conversation.tryAgain}
        </button>
      </p>
    );
  }
  if (!room.complete.value) {
    const waits = !room.followed.value && status.value.kind !== "live" && status.value.kind !== "connecting";
    return <p class="log-top">{waits ? strings.conversation.olderWaits : strings.conversation.loadingOlder}</p>;
  }
  const silent = !room.items.value.some((item) => item.type === "message") && room.unsent.value.length === 0;
  return (
    <div class="beginning">
      <h2>{(info.visibility === "direct" ? strings.conversation.beginningDirect : strings.conversation.beginning)(roomTitle(room))}</h2>
      <p>{info.topic || (silent ? strings.conversation.empty : "")}</p>
    </div>
  );
}

/** Before which item the line stands; -1 for nowhere. One's own messages are not news. */
function dividerIndex(room: RoomState): number {
  const divider = room.divider.value;
  if (divider === undefined) return -1;
  const news = (item: Item) => item.type === "message" && item.seq > divider && item.user.id !== me.value?.id;
  const index = room.items.value.findIndex(news);
  // At the top of what is loaded it would only say where loading stopped.
  return index === 0 && !room.complete.value ? -1 : index;
}

/** Who is known to have read one's last message, when it is the last of all. Its line is always there, so that nothing moves. */
function ReadBy({ room }: { room: RoomState }) {
  const readers = readersOfLast(room).map(nameOf);
  const shown = readers.slice(0, 3).join(", ") + (readers.length > 3 ? ` +${readers.length - 3}` : "");
  return <p class="read-by">{shown !== "" && strings.conversation.seenBy(shown)}</p>;
}

function readersOfLast(room: RoomState): UserRef[] {
  const last = room.items.value.findLast((item) => item.type === "message");
  if (!room.attached.value || last?.type !== "message" || last.user.id !== me.value?.id || room.unsent.value.length > 0) return [];
  const readers = [...room.reads.value].filter(([, seq]) => seq >= last.seq).map(([id]) => room.person(id));
  return readers.filter((user) => user !== undefined);
}
