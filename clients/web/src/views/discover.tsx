/** Rooms that one may find: search them, join the open ones at once, and those with a password by it. */

import { signal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import { asRefusal, type Room } from "@chatx/sdk";
import { joinRoom } from "../state/actions";
import { rooms } from "../state/chat";
import { dialog } from "../state/dialogs";
import { paths } from "../state/router";
import { api } from "../state/session";
import { attempt } from "../state/toasts";
import { refusalText, strings } from "../strings";
import { RoomMark } from "./avatar";
import { Icon } from "./icons";
import { SearchInput } from "./search_input";

interface Found {
  query: string;
  rooms: readonly Room[];
  next: string | undefined;
}

const found = signal<Found | undefined>(undefined);
const searchAfterMs = 250;

export function Discover() {
  const [query, setQuery] = useState("");
  const [problem, setProblem] = useState<string>();
  useEffect(() => {
    document.title = `${strings.rooms.discover} · ${strings.name}`;
  }, []);
  useEffect(() => {
    let stale = false;
    const timer = setTimeout(async () => {
      try {
        const page = await api.discover({ query: query.trim(), limit: 30 });
        if (stale) return;
        found.value = { query: query.trim(), rooms: page.rooms, next: page.next_cursor ?? undefined };
        setProblem(undefined);
      } catch (thrown) {
        if (!stale) setProblem(refusalText(asRefusal(thrown)));
      }
    }, query === "" ? 0 : searchAfterMs);
    return () => {
      stale = true;
      clearTimeout(timer);
    };
  }, [query]);

  return (
    <main class="page" id="main" tabIndex={-1}>
      <header class="bar">
        <a class="icon-button narrow-only" href={paths.rooms} aria-label={strings.conversation.back}>
          <Icon name="back" />
        </a>
        <h1>{strings.rooms.discover}</h1>
      </header>
      <div class="page-body">
        <p class="muted page-lead">{strings.rooms.discoverText}</p>
        <SearchInput value={query} label={strings.rooms.search} testid="discover-search" onInput={setQuery} />
        {problem !== undefined ? <p class="problem" role="alert">{problem}</p> : <Results />}
        <section class="aside-card">
          <div>
            <h2>{strings.rooms.haveInvite}</h2>
            <p class="muted">{strings.rooms.inviteHint}</p>
          </div>
          <button type="button" class="button" onClick={() => (dialog.value = { kind: "invite" })}>
            <Icon name="link" />
            {strings.rooms.inviteTitle}
          </button>
        </section>
      </div>
    </main>
  );
}

function Results() {
  const page = found.value;
  if (page === undefined) return <p class="muted">{strings.common.loading}</p>;
  if (page.rooms.length === 0) {
    return <p class="muted nothing">{page.query === "" ? strings.rooms.noneListed : strings.rooms.noMatch(page.query)}</p>;
  }
  return (
    <>
      <ul class="cards">
        {page.rooms.map((room) => (
          <Card key={room.id} room={room} />
        ))}
      </ul>
      {page.next !== undefined && (
        <button type="button" class="button" onClick={() => void attempt(() => more(page))}>
          {strings.rooms.more}
        </button>
      )}
    </>
  );
}

async function more(page: Found): Promise<void> {
  const next = await api.discover({ query: page.query, limit: 30, ...(page.next === undefined ? {} : { cursor: page.next }) });
  if (found.value === page) found.value = { ...page, rooms: [...page.rooms, ...next.rooms], next: next.next_cursor ?? undefined };
}

function Card({ room }: { room: Room }) {
  const mine = rooms.value.has(room.id);
  return (
    <li class="card" data-testid="discover-item" data-room={room.id}>
      <RoomMark room={room} />
      <div class="card-text">
        <h2>{room.name}</h2>
        {room.topic ? <p>{room.topic}</p> : null}
        <p class="muted">
          {strings.visibility[room.visibility]} · {strings.rooms.members(room.members)}
        </p>
      </div>
      {mine ? (
        <a class="button" href={paths.room(room.id)}>
          {strings.rooms.joined}
        </a>
      ) : room.visibility === "private" && !room.has_password ? (
        <span class="muted by-invite">{strings.rooms.joinByInviteOnly}</span>
      ) : (
        <button
          type="button"
          class="button primary"
          data-testid="join"
          onClick={() =>
            room.visibility === "private"
              ? (dialog.value = { kind: "join", room })
              : void attempt(() => joinRoom(room.id, {}))
          }
        >
          {strings.rooms.join}
        </button>
      )}
    </li>
  );
}
