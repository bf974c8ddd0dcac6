/** A thread: the message that it begins with, and what was answered to it. */

import { useEffect, useRef, useState } from "preact/hooks";
import type { RoomEvent, Seq } from "@chatx/sdk";
import { status } from "../state/chat";
import { atLeast } from "../state/permissions";
import type { RoomState } from "../state/room";
import { api, chat, me } from "../state/session";
import { continues, fold, type Item, pageItems } from "../state/timeline";
import { attempt } from "../state/toasts";
import { strings } from "../strings";
import { Composer } from "./composer";
import { stepBetweenMessages } from "./focus";
import { type MessageActions, Row, Unsent } from "./message";
import { SidePane } from "./side";

const mostAnswers = 200;

export function Thread({ room, root, actions }: { room: RoomState; root: Seq; actions: MessageActions }) {
  const [items, setItems] = useState<readonly Item[]>();
  const end = useRef<HTMLDivElement>(null);
  const unsent = room.unsent.value.filter((entry) => entry.thread === root);

  useEffect(() => {
    let stale = false;
    /** What comes while the thread is being read. */
    let early: RoomEvent[] | undefined = [];
    const take = (events: readonly RoomEvent[]) => {
      const ours = events.filter((event) => event.kind !== "message" || event.thread === root);
      if (early !== undefined) early.push(...ours);
      else setItems((before) => before && fold(before, ours, me.value?.id).filter((item) => item.type === "message"));
    };
    const off = [
      chat.on("event", (event) => event.room === room.id && take([event])),
      chat.on("snapshot", (frame, events) => frame.room === room.id && take(events)),
    ];
    void attempt(async () => {
      const page = await api.messages(room.id, { thread: root, limit: mostAnswers });
      const begin = page.messages.some((message) => message.seq === root) ? [] : [await api.message(room.id, root)];
      if (stale) return;
      setItems(pageItems([...begin, ...page.messages], [], page.head));
      const since = (early ?? []).filter((event) => event.seq > page.head);
      early = undefined;
      take(since);
    });
    return () => {
      stale = true;
      for (const stop of off) stop();
    };
  }, [room, root]);

  useEffect(() => end.current?.scrollIntoView({ block: "end" }), [items?.length, unsent.length]);

  const self = me.value;
  return (
    <SidePane title={strings.conversation.thread} testid="thread">
      <div class="thread-log" tabIndex={0} role="log" aria-label={strings.conversation.thread} onKeyDown={stepBetweenMessages}>
        {items === undefined && <p class="muted">{strings.common.loading}</p>}
        {items?.map((item, index) => (
          <Row
            key={item.seq}
            item={item}
            inThread
            room={room}
            lead={index <= 1 || !continues(items[index - 1], item)}
            own={item.type === "message" && item.user.id === self?.id}
            mayDelete={atLeast(room.info.value.role, "moderator")}
            editing={false}
            found={false}
            replied={undefined}
            actions={actions}
          />
        ))}
        {self !== undefined && unsent.map((entry) => (
          <Unsent key={entry.client_id} entry={entry} user={self} live={status.value.kind === "live"} lead />
        ))}
        <div ref={end} />
      </div>
      {room.info.value.archived_at == null && <Composer room={room} thread={root} />}
    </SidePane>
  );
}
