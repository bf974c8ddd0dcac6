/** An open room: its head, its log, where one writes, and what stands beside it. */

import { useEffect, useMemo, useState } from "preact/hooks";
import { seek, messageLink, togglePin, toggleReaction } from "../state/actions";
import { countReports, totalUnread } from "../state/chat";
import { side } from "../state/dialogs";
import { used } from "../state/emoji";
import { roomTitle } from "../state/names";
import { statusAsked } from "../state/people";
import { atLeast } from "../state/permissions";
import type { RoomState } from "../state/room";
import { paths, route } from "../state/router";
import { api, me } from "../state/session";
import type { MessageItem } from "../state/timeline";
import { attempt, inBackground, toast } from "../state/toasts";
import { strings } from "../strings";
import { RoomAvatar } from "./avatar";
import { Composer } from "./composer";
import { Details } from "./details";
import { Confirm } from "./dialog";
import { Icon, type IconName } from "./icons";
import { Lightbox } from "./lightbox";
import { Log } from "./log";
import type { MessageActions } from "./message";
import { MessageDetails } from "./message_details";
import { Pins } from "./pins";
import { ReactionPicker } from "./reactions";
import { showBeside } from "./side";
import { Thread } from "./thread";

/** What is being done with a message. */
type Doing = { what: "edit" | "reply" | "delete" | "react" | "details"; item: MessageItem };

export function Conversation({ room }: { room: RoomState }) {
  const [doing, setDoing] = useState<Doing>();
  const info = room.info.value;
  const name = roomTitle(room);
  const unread = totalUnread.value;
  const sought = route.value.page === "room" ? route.value.seq : undefined;
  const followed = room.followed.value;
  const others = (info.people ?? []).filter((person) => person.id !== me.value?.id);
  const other = info.visibility === "direct" && others.length === 1 ? others[0] : undefined;
  const status = other === undefined ? "" : statusAsked(other.id);
  const reports = room.openReports.value ?? 0;
  const done = () => setDoing(undefined);
  const actions = useMemo(() => actionsOf(room, setDoing), [room]);

  useEffect(() => {
    document.title = `${unread > 0 ? `(${unread}) ` : ""}${name} · ${strings.name}`;
  }, [name, unread]);

  const moderates = info.visibility !== "direct" && atLeast(info.role, "moderator");
  useEffect(() => {
    if (moderates && room.openReports.value === undefined) void inBackground(() => countReports(room));
  }, [room, moderates]);

  useEffect(() => {
    if (sought !== undefined && followed) void seek(room, sought);
  }, [room, sought, followed]);

  useEffect(() => () => {
    // A thread is one of this room.
    if (side.value?.kind === "thread") side.value = undefined;
  }, [room]);

  function editLast(): void {
    const last = room.items.value.findLast((item) => item.type === "message" && !item.deleted && item.body !== "" && item.user.id === me.value?.id);
    if (last?.type === "message") setDoing({ what: "edit", item: last });
  }

  return (
    <>
      <main class="conversation" id="main" tabIndex={-1} data-testid="conversation" data-room={room.id}>
        <header class="bar">
          <a class="icon-button narrow-only" href={paths.rooms} aria-label={strings.conversation.back}>
            <Icon name="back" />
          </a>
          <RoomAvatar room={room} />
          <div class="bar-title">
            <h1>{name}</h1>
            <p>
              {other === undefined ? (
                <span class="online-count">{followed ? strings.conversation.online(room.onlineCount.value) : strings.rooms.members(info.members)}</span>
              ) : (
                <span data-testid="other-state">{strings.presence[room.online.value.get(other.id)?.state ?? "offline"]}</span>
              )}
              {status !== "" && <span class="bar-topic" title={status} data-testid="other-status">{status}</span>}
              {info.topic ? <span class="bar-topic" title={info.topic}>{info.topic}</span> : null}
            </p>
          </div>
          <a class="icon-button" href={paths.search({ query: "", room: room.id })} aria-label={strings.search.here} title={strings.search.here}>
            <Icon name="search" />
          </a>
          <SideButton kind="pins" icon="pin" label={strings.pins.title} />
          <SideButton kind="details" icon="panel" label={reports > 0 ? strings.conversation.detailsReports(reports) : strings.conversation.details} dot={reports > 0} />
        </header>
        <Log key={room.id} room={room} editing={doing?.what === "edit" ? doing.item.seq : undefined} actions={actions} />
        {info.archived_at == null ? (
          <Composer
            room={room}
            editing={doing?.what === "edit" ? doing.item : undefined}
            replying={doing?.what === "reply" ? doing.item : undefined}
            onEditLast={editLast}
            onDone={done}
          />
        ) : (
          <p class="archived">{strings.rooms.archived}</p>
        )}
      </main>
      {side.value?.kind === "details" && <Details key={room.id} room={room} />}
      {side.value?.kind === "pins" && <Pins key={room.id} room={room} />}
      {side.value?.kind === "thread" && <Thread key={`${room.id} ${side.value.root}`} room={room} root={side.value.root} actions={actions} />}
      <Lightbox />
      {doing?.what === "delete" && (
        <Confirm
          title={strings.conversation.deleteTitle}
          text={strings.conversation.deleteText}
          action={strings.conversation.delete}
          onConfirm={() => attempt(() => api.delete(room.id, doing.item.seq))}
          onClose={done}
        />
      )}
      {doing?.what === "details" && <MessageDetails room={room} item={doing.item} onClose={done} />}
      {doing?.what === "react" && (
        <ReactionPicker
          onClose={done}
          onPick={(emoji) => {
            done();
            actions.react(doing.item, emoji);
          }}
        />
      )}
    </>
  );
}

function actionsOf(room: RoomState, doing: (next: Doing) => void): MessageActions {
  return {
    edit: (item) => doing({ what: "edit", item }),
    delete: (item) => doing({ what: "delete", item }),
    reply: (item) => doing({ what: "reply", item }),
    details: (item) => doing({ what: "details", item }),
    pickReaction: (item) => doing({ what: "react", item }),
    thread: (root) => showBeside({ kind: "thread", root }),
    react: (item, emoji) => {
      used(emoji);
      void attempt(() => toggleReaction(room, item, emoji));
    },
    pin: (item) => void attempt(() => togglePin(room, item)),
    copyLink: (item) =>
      void attempt(async () => {
        await navigator.clipboard.writeText(messageLink(room.id, item.seq));
        toast(strings.conversation.linkCopied);
      }),
    seek: (seq) => void seek(room, seq),
  };
}

interface SideButtonProps {
  kind: "details" | "pins";
  icon: IconName;
  label: string;
  /** Whether something waits there. */
  dot?: boolean;
}

function SideButton({ kind, icon, label, dot }: SideButtonProps) {
  return (
    <button type="button" class="icon-button" aria-label={label} title={label} aria-expanded={side.value?.kind === kind}
      data-testid={kind} onClick={() => showBeside({ kind })}>
      <Icon name={icon} />
      {dot === true && <span class="dot" aria-hidden="true" />}
    </button>
  );
}
