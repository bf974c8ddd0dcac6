/** A room's log: it scrolls, loads what is older as one goes up, and stays where one is when anything arrives. */

import { useSignalEffect } from "@preact/signals";
import { Fragment } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { loadOlder } from "../state/actions";
import { markReadIfSeen, status } from "../state/chat";
import { nameOf } from "../state/names";
import { atEnd, visible } from "../state/page";
import { atLeast } from "../state/permissions";
import type { RoomState } from "../state/room";
import { me } from "../state/session";
import { dayName } from "../state/times";
import { continues, type Item, type MessageItem, sameDay } from "../state/timeline";
import { strings } from "../strings";
import { roomName } from "./avatar";
import { Icon } from "./icons";
import { Row, Unsent } from "./message";

/** This close to the end counts as the end. */
const endWithinPx = 60;
/** This close to the top, older messages are loaded. */
const olderWithinPx = 600;
/** A log that grows while one looks at its end lets go of its top. */
const mostItems = 600;

interface LogProps {
  room: RoomState;
  editing: MessageItem | undefined;
  onEdit(item: MessageItem): void;
  onDelete(item: MessageItem): void;
}

export function Log({ room, editing, onEdit, onDelete }: LogProps) {
  const view = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const firstSeq = useRef<number | undefined>(undefined);
  const height = useRef(0);

  const items = room.items.value;
  const unsent = room.unsent.value;

  // Older messages came in above: move by what they added, so that the eye stays on its line.
  useLayoutEffect(() => {
    const element = view.current;
    if (element === null) return;
    const first = items[0]?.seq;
    const grewAbove = firstSeq.current !== undefined && first !== undefined && first < firstSeq.current;
    if (grewAbove && !atEnd.value) element.scrollTop += element.scrollHeight - height.current;
    else if (atEnd.value) element.scrollTop = element.scrollHeight;
    firstSeq.current = first;
    height.current = element.scrollHeight;
    if (atEnd.value && items.length > mostItems) room.trim();
  });

  // One's own new message is always shown.
  const written = unsent.length;
  const writtenBefore = useRef(written);
  useLayoutEffect(() => {
    if (written > writtenBefore.current) toEnd();
    writtenBefore.current = written;
  }, [written]);

  // What grows later (the composer, a keyboard, a font) does not push the end out of sight.
  useEffect(() => {
    const observer = new ResizeObserver(() => {
      if (atEnd.value) toEnd();
      if (view.current !== null) height.current = view.current.scrollHeight;
      fillPage();
    });
    if (view.current !== null) observer.observe(view.current);
    if (content.current !== null) observer.observe(content.current);
    return () => observer.disconnect();
  }, []);

  useEffect(() => {
    atEnd.value = true;
    return () => {
      atEnd.value = true;
      room.trim();
    };
  }, []);

  useSignalEffect(() => {
    const waiting = room.followed.value && !room.complete.value && room.items.value.length === 0;
    if (waiting && room.loading.value === "idle") void loadOlder(room);
  });

  function toEnd(): void {
    if (view.current !== null) view.current.scrollTop = view.current.scrollHeight;
    atEnd.value = true;
  }

  /** A tall window may show all that is loaded, and then nothing can be scrolled: there is more to load. */
  function fillPage(): void {
    const element = view.current;
    if (element === null || !room.followed.value || room.complete.value || room.loading.value !== "idle") return;
    if (element.scrollTop < olderWithinPx) void loadOlder(room);
  }

  function onScroll(): void {
    const element = view.current;
    if (element === null) return;
    atEnd.value = element.scrollHeight - element.scrollTop - element.clientHeight < endWithinPx;
    if (atEnd.value && visible.value) markReadIfSeen(room);
    fillPage();
  }

  const info = room.info.value;
  const mayDelete = atLeast(info.role, "moderator");
  const divider = dividerIndex(room);
  const last = items.at(-1);
  const self = me.value;
  return (
    <div class="log-frame">
      <div
        class="log"
        ref={view}
        onScroll={onScroll}
        role="log"
        aria-label={strings.conversation.log(roomName(info))}
        aria-live={room.loading.value === "busy" ? "off" : "polite"}
        tabIndex={0}
        data-testid="log"
      >
        <div class="log-content" ref={content}>
          <Top room={room} />
          {items.map((item, index) => {
            const before = items[index - 1];
            const day = before === undefined || !sameDay(before.at, item.at);
            const unread = index === divider;
            return (
              <Fragment key={item.seq}>
                {day && <p class="day"><span>{dayName(item.at)}</span></p>}
                {unread && <p class="unread-line" role="separator"><span>{strings.conversation.newMessages}</span></p>}
                <Row
                  item={item}
                  lead={day || unread || !continues(before, item)}
                  own={item.type === "message" && item.user.id === self?.id}
                  mayDelete={mayDelete}
                  editing={editing?.seq === item.seq}
                  onEdit={onEdit}
                  onDelete={onDelete}
                />
              </Fragment>
            );
          })}
          {self !== undefined && unsent.map((entry, index) => (
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
      {!atEnd.value && (
        <button type="button" class="to-end" onClick={toEnd} aria-label={strings.conversation.toEnd}>
          {room.unread.value > 0 && <span>{strings.conversation.unreadBelow(room.unread.value)}</span>}
          <Icon name="down" />
        </button>
      )}
    </div>
  );
}

/** What stands above the first line: more to come, a failure, or the room's beginning. */
function Top({ room }: { room: RoomState }) {
  const info = room.info.value;
  if (room.loading.value === "failed") {
    return (
      <p class="log-top">
        {strings.conversation.olderFailed}{" "}
        <button type="button" class="link" onClick={() => void loadOlder(room)}>{strings.conversation.tryAgain}</button>
      </p>
    );
  }
  if (!room.complete.value) return <p class="log-top">{strings.conversation.loadingOlder}</p>;
  const silent = !room.items.value.some((item) => item.type === "message") && room.unsent.value.length === 0;
  return (
    <div class="beginning">
      <h2>{strings.conversation.beginning(roomName(info))}</h2>
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

/** Who is known to have read one's last message, when it is the last of all. */
function ReadBy({ room }: { room: RoomState }) {
  const last = room.items.value.findLast((item) => item.type === "message");
  if (last?.type !== "message" || last.user.id !== me.value?.id || room.unsent.value.length > 0) return null;
  const readers = [...room.reads.value]
    .filter(([, seq]) => seq >= last.seq)
    .map(([id]) => room.person(id))
    .filter((user) => user !== undefined)
    .map(nameOf);
  if (readers.length === 0) return null;
  const shown = readers.slice(0, 3).join(", ") + (readers.length > 3 ? ` +${readers.length - 3}` : "");
  return <p class="read-by">{strings.conversation.seenBy(shown)}</p>;
}
