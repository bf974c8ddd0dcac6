/** The list of one's rooms, and who one is. */

import { useEffect, useState } from "preact/hooks";
import { strings } from "../strings";
import { chosenPresence } from "../state/preferences";
import { openRoom, roomList, roomsKnown, status } from "../state/chat";
import { gist } from "../state/files";
import { firstNameOf, nameOf, roomTitle } from "../state/names";
import { dialog } from "../state/dialogs";
import type { LastMessage, RoomState } from "../state/room";
import { paths, route } from "../state/router";
import { me } from "../state/session";
import { fullTime, shortTime } from "../state/times";
import type { ChosenPresence } from "@chatx/sdk";
import { Avatar, RoomAvatar } from "./avatar";
import { Icon, Mark } from "./icons";
import { Menu, MenuItem } from "./menu";
import { VerifyEmail } from "./verify_email";

export function Sidebar() {
  return (
    <nav class="sidebar" aria-label={strings.rooms.mine}>
      <header class="bar">
        <a class="brand" href={paths.rooms} aria-label={strings.name}>
          <Mark />
          <span>{strings.name}</span>
        </a>
        <a
          class="icon-button"
          href={paths.discover}
          data-testid="discover"
          aria-label={strings.rooms.discover}
          title={strings.rooms.discover}
          aria-current={route.value.page === "discover" ? "page" : undefined}
        >
          <Icon name="compass" />
        </a>
        <Menu label={strings.rooms.begin} icon="plus" testid="begin">
          {() => (
            <>
              <MenuItem icon="message" testid="new-message" onChoose={() => (dialog.value = { kind: "new-message" })}>{strings.direct.title}</MenuItem>
              <MenuItem icon="people" testid="new-room" onChoose={() => (dialog.value = { kind: "create-room" })}>{strings.rooms.create}</MenuItem>
              <MenuItem icon="link" onChoose={() => (dialog.value = { kind: "invite" })}>{strings.rooms.inviteTitle}</MenuItem>
            </>
          )}
        </Menu>
      </header>
      <button type="button" class="find" data-testid="find" onClick={() => (dialog.value = { kind: "switch" })}>
        <Icon name="search" />
        <span>{strings.search.anything}</span>
        <kbd class="wide-only">{strings.search.key}</kbd>
      </button>
      <h1 class="visually-hidden">{strings.rooms.mine}</h1>
      <RoomList />
      <VerifyEmail />
      <Me />
    </nav>
  );
}

/** So many rooms are drawn in one frame, which is more than are in sight. */
const roomsAtOnce = 60;

function RoomList() {
  const [drawn, setDrawn] = useState(roomsAtOnce);
  const more = roomsKnown.value && roomList.value.length > drawn;
  useEffect(() => {
    if (more) setDrawn(drawn + roomsAtOnce);
  }, [more, drawn]);
  if (!roomsKnown.value) {
    return (
      <div class="room-list" data-testid="room-list" aria-busy="true">
        {[0, 1, 2, 3].map((index) => (
          <div key={index} class="room-item skeleton">
            <span class="avatar room" />
            <span class="lines" />
          </div>
        ))}
      </div>
    );
  }
  if (roomList.value.length === 0) {
    return (
      <div class="room-list empty" data-testid="room-list">
        <h2>{strings.rooms.none}</h2>
        <p>{strings.rooms.noneText}</p>
        <a class="button" href={paths.discover}>
          {strings.rooms.discover}
        </a>
      </div>
    );
  }
  const open = openRoom.value;
  return (
    <ul class="room-list" data-testid="room-list">
      {roomList.value.slice(0, drawn).map((room) => (
        <li key={room.id}>
          <RoomItem room={room} current={room === open} />
        </li>
      ))}
    </ul>
  );
}

/** Drawn again only when something of its own changed, for there may be hundreds. */
function RoomItem({ room, current }: { room: RoomState; current: boolean }) {
  const info = room.info.value;
  const last = room.lastMessage.value;
  const unread = room.unread.value;
  const typist = room.typing.value[0];
  const direct = info.visibility === "direct";
  const called = direct || room.mentions.value > 0;
  return (
    <a
      class={unread > 0 ? "room-item unread" : "room-item"}
      href={paths.room(room.id)}
      data-testid="room-item"
      data-room={room.id}
      aria-current={current ? "page" : undefined}
    >
      <RoomAvatar room={room} />
      <span class="room-name">{roomTitle(room)}</span>
      {last !== null && (
        <time class="room-time" dateTime={last.at} title={fullTime(last.at)}>
          {shortTime(last.at)}
        </time>
      )}
      <span class="room-last">
        {typist !== undefined ? (
          <em>{strings.conversation.typing([nameOf(typist)])}…</em>
        ) : last === null ? (
          info.topic || strings.rooms.members(info.members)
        ) : last.deleted_at != null ? (
          strings.rooms.deletedMessage
        ) : (
          <LastText room={room} last={last} />
        )}
      </span>
      {unread > 0 && (
        <span class={called ? "badge called" : "badge"}>
          <span aria-hidden="true">{called && !direct ? "@" : ""}{unread > 99 ? "99+" : unread}</span>
          <span class="visually-hidden">{called ? strings.rooms.unreadCalled(unread) : strings.rooms.unread(unread)}</span>
        </span>
      )}
    </a>
  );
}

/** Who said what; each may be written from the right. */
function LastText({ room, last }: { room: RoomState; last: LastMessage }) {
  const info = room.info.value;
  const body = <bdi>{gist(last)}</bdi>;
  // In a conversation with one person there is no doubt who said it.
  const isClear = info.members === 2 && info.visibility === "direct";
  const own = last.user.id === me.value?.id;
  return (
    <span class="last-text">
      {(own || !isClear) && <span><bdi>{own ? strings.rooms.you : firstNameOf(last.user)}</bdi>:</span>}
      {body}
    </span>
  );
}

function Me() {
  const user = me.value;
  if (user === undefined) return null;
  const chosen = chosenPresence.value;
  return (
    <footer class="me">
      <Avatar user={user} state={status.value.kind !== "live" || chosen === "invisible" ? "offline" : chosen} />
      <div class="me-name">
        <strong>{nameOf(user)}</strong>
        <select
          aria-label={strings.presenceLabel}
          value={chosen}
          onChange={(event) => (chosenPresence.value = event.currentTarget.value as ChosenPresence)}
        >
          {Object.entries(strings.chosenPresence).map(([state, label]) => (
            <option key={state} value={state}>
              {label}
            </option>
          ))}
        </select>
      </div>
      <button type="button" class="icon-button wide-only" aria-label={strings.shortcuts.title} title={strings.shortcuts.title}
        onClick={() => (dialog.value = { kind: "shortcuts" })}>
        <Icon name="keyboard" />
      </button>
      {user.admin === true && (
        <a class="icon-button" href={paths.admin("users")} aria-label={strings.admin.title} title={strings.admin.title} data-testid="admin"
          aria-current={route.value.page === "admin" ? "page" : undefined}>
          <Icon name="shield" />
        </a>
      )}
      <a class="icon-button" href={paths.settings("profile")} aria-label={strings.settings.title} title={strings.settings.title}
        data-testid="settings" aria-current={route.value.page === "settings" ? "page" : undefined}>
        <Icon name="sliders" />
      </a>
    </footer>
  );
}
