/** An open room: its head, its log, where one writes, and its details beside it. */

import { useEffect, useState } from "preact/hooks";
import { totalUnread } from "../state/chat";
import { detailsOpen } from "../state/dialogs";
import type { RoomState } from "../state/room";
import { paths } from "../state/router";
import { api, me } from "../state/session";
import type { MessageItem } from "../state/timeline";
import { attempt } from "../state/toasts";
import { strings } from "../strings";
import { RoomAvatar, roomName } from "./avatar";
import { Composer } from "./composer";
import { Details } from "./details";
import { Confirm } from "./dialog";
import { Icon } from "./icons";
import { Log } from "./log";

export function Conversation({ room }: { room: RoomState }) {
  const [editing, setEditing] = useState<MessageItem>();
  const [deleting, setDeleting] = useState<MessageItem>();
  const info = room.info.value;
  const name = roomName(info);
  const unread = totalUnread.value;

  useEffect(() => {
    document.title = `${unread > 0 ? `(${unread}) ` : ""}${name} · ${strings.name}`;
  }, [name, unread]);

  function editLast(): void {
    const last = room.items.value.findLast((item) => item.type === "message" && !item.deleted && item.user.id === me.value?.id);
    if (last?.type === "message") setEditing(last);
  }

  return (
    <>
      <main class="conversation" id="main" tabIndex={-1} data-testid="conversation" data-room={room.id}>
        <header class="bar">
          <a class="icon-button narrow-only" href={paths.rooms} aria-label={strings.conversation.back}>
            <Icon name="back" />
          </a>
          <RoomAvatar room={info} />
          <div class="bar-title">
            <h1>{name}</h1>
            <p>
              <span class="online-count">{strings.conversation.online(room.onlineCount.value)}</span>
              {info.topic ? <span class="bar-topic" title={info.topic}>{info.topic}</span> : null}
            </p>
          </div>
          <button
            type="button"
            class="icon-button"
            aria-label={strings.conversation.details}
            title={strings.conversation.details}
            aria-expanded={detailsOpen.value}
            data-testid="details"
            onClick={() => (detailsOpen.value = !detailsOpen.value)}
          >
            <Icon name="panel" />
          </button>
        </header>
        <Log key={room.id} room={room} editing={editing} onEdit={setEditing} onDelete={setDeleting} />
        {info.archived_at == null ? (
          <Composer room={room} editing={editing} onEditLast={editLast} onEditDone={() => setEditing(undefined)} />
        ) : (
          <p class="archived">{strings.rooms.archived}</p>
        )}
      </main>
      {detailsOpen.value && <Details key={room.id} room={room} />}
      {deleting !== undefined && (
        <Confirm
          title={strings.conversation.deleteTitle}
          text={strings.conversation.deleteText}
          action={strings.conversation.delete}
          onConfirm={() => attempt(() => api.delete(room.id, deleting.seq))}
          onClose={() => setDeleting(undefined)}
        />
      )}
    </>
  );
}
