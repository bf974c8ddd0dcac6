/** The whole page: which of its parts is shown, and the keys that work everywhere. */

import { useEffect, useRef } from "preact/hooks";
import { openRoom, roomList, rooms, roomsKnown, totalUnread } from "../state/chat";
import { dialog, side } from "../state/dialogs";
import { nameOf } from "../state/names";
import type { RoomState } from "../state/room";
import { go, paths, route } from "../state/router";
import { me, phase } from "../state/session";
import { strings } from "../strings";
import { Administration } from "./admin";
import { Auth } from "./auth";
import { Conversation } from "./conversation";
import { Discover } from "./discover";
import { focusIsLost } from "./focus";
import { Mark } from "./icons";
import { Invites } from "./invites";
import { Manage } from "./manage";
import { Reset, Verify } from "./mail_links";
import { ConnectionStatus, dialogIsOpen, Shortcuts, Toasts } from "./notices";
import { NewMessage } from "./new_message";
import { Person } from "./person";
import { CreateRoom, InviteForm, InvitePage, JoinRoom } from "./room_dialogs";
import { ReportMessage } from "./report_message";
import { RoomSettings } from "./room_settings";
import { Search } from "./search";
import { Settings } from "./settings";
import { Sidebar } from "./sidebar";
import { Switcher } from "./switcher";

export function App() {
  switch (phase.value) {
    case "starting":
      return <div class="splash"><Mark /></div>;
    case "signed-out":
      return <><Auth /><Toasts /></>;
    case "signed-in":
      return <Chat />;
  }
}

function Chat() {
  useEffect(() => {
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);
  useEffect(() => {
    if (["log-in", "register", "forgot"].includes(route.value.page)) go(paths.rooms, true);
  }, [route.value]);
  // What had the focus may be gone with the page that was left.
  const first = useRef(true);
  useEffect(() => {
    if (!first.current && focusIsLost()) document.getElementById("main")?.focus({ preventScroll: true });
    first.current = false;
  }, [route.value]);
  const pane = route.value.page === "rooms" ? "rooms" : side.value !== undefined && openRoom.value !== undefined ? "details" : "main";
  return (
    <div class="app" data-pane={pane}>
      <a class="skip" href="#main" onClick={(event) => {
        event.preventDefault();
        document.querySelector<HTMLElement>("#main textarea, #main input, #main a")?.focus();
      }}>
        {strings.common.skip}
      </a>
      <Sidebar />
      <Main />
      <Dialogs />
      <ConnectionStatus />
      <Toasts />
    </div>
  );
}

function Main() {
  const at = route.value;
  if (at.page === "discover") return <Discover />;
  if (at.page === "search") return <Search ask={at.ask} />;
  if (at.page === "invite") return <InvitePage room={at.room} code={at.code} />;
  if (at.page === "verify") return <main class="page" id="main" tabIndex={-1}><div class="page-body"><Verify token={at.token} /></div></main>;
  if (at.page === "reset") return <main class="page" id="main" tabIndex={-1}><div class="page-body"><Reset token={at.token} /></div></main>;
  if (at.page === "settings") return <Settings section={at.section} />;
  if (at.page === "admin" && me.value?.admin === true) return <Administration section={at.section} />;
  if (at.page !== "room" && at.page !== "manage") return <Home />;
  const room = rooms.value.get(at.room);
  if (room !== undefined && at.page === "manage") return <Manage key={room.id} room={room} section={at.section} />;
  if (room !== undefined) return <Conversation key={room.id} room={room} />;
  if (!roomsKnown.value) return <main class="page blank" id="main" tabIndex={-1} aria-busy="true" />;
  return <Blank title={strings.rooms.missing} text={strings.rooms.missingText} discover />;
}

function Home() {
  const user = me.value;
  if (!roomsKnown.value || roomList.value.length > 0 || user === undefined) {
    return <Blank title={strings.rooms.pick} text={strings.rooms.pickText} />;
  }
  return <Blank title={strings.rooms.welcome(nameOf(user))} text={strings.rooms.welcomeText} discover />;
}

function Blank({ title, text, discover }: { title: string; text: string; discover?: boolean }) {
  const unread = totalUnread.value;
  useEffect(() => {
    document.title = `${unread > 0 ? `(${unread}) ` : ""}${strings.name}`;
  }, [unread]);
  return (
    <main class="page blank" id="main" tabIndex={-1}>
      <div class="blank-text">
        <Mark />
        <h1>{title}</h1>
        <p class="muted">{text}</p>
        {discover && (
          <p class="blank-ways">
            <a class="button primary" href={paths.discover}>{strings.rooms.discover}</a>
            <button type="button" class="button" onClick={() => (dialog.value = { kind: "create-room" })}>{strings.rooms.create}</button>
          </p>
        )}
      </div>
    </main>
  );
}

function Dialogs() {
  const open = dialog.value;
  switch (open?.kind) {
    case "create-room":
      return <CreateRoom />;
    case "join":
      return <JoinRoom room={open.room} />;
    case "invite":
      return <InviteForm />;
    case "new-message":
      return <NewMessage />;
    case "report":
      return <ReportMessage room={open.room} seq={open.seq} />;
    case "person":
      return <Person key={open.user.id} user={open.user} />;
    case "switch":
      return <Switcher />;
    case "shortcuts":
      return <Shortcuts />;
    case "invites": {
      const room = rooms.value.get(open.room);
      return room === undefined ? null : <Invites room={room} />;
    }
    case "room-settings": {
      const room = rooms.value.get(open.room);
      return room === undefined ? null : <RoomSettings room={room} />;
    }
    default:
      return null;
  }
}

function onKey(event: KeyboardEvent): void {
  if (event.defaultPrevented || dialogIsOpen()) return;
  const typing = event.target instanceof HTMLElement && event.target.matches("input, textarea, select");
  if ((event.key === "?" && !typing) || (event.key === "/" && (event.ctrlKey || event.metaKey))) {
    event.preventDefault();
    dialog.value = { kind: "shortcuts" };
  } else if (event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    dialog.value = { kind: "switch" };
  } else if (event.key.toLowerCase() === "f" && event.shiftKey && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    go(paths.search({ query: "", room: openRoom.value?.id }));
  } else if (event.altKey && event.shiftKey && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
    event.preventDefault();
    step(event.key === "ArrowUp" ? -1 : 1, (room) => room.unread.value > 0);
  } else if (event.altKey && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
    event.preventDefault();
    step(event.key === "ArrowUp" ? -1 : 1);
  } else if (event.key === "Escape" && !typing && openRoom.value !== undefined) {
    document.querySelector<HTMLElement>("#main textarea")?.focus();
  }
}

/** Goes to the next room of the list, or the next one for which something holds. */
function step(by: number, wanted: (room: RoomState) => boolean = () => true): void {
  const list = roomList.value.filter((room) => room === openRoom.value || wanted(room));
  const at = list.findIndex((room) => room === openRoom.value);
  const next = list[(at + by + list.length) % list.length];
  if (next !== undefined) go(paths.room(next.id));
}
