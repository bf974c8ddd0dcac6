/** Goes anywhere by a few letters: a room, a person, or a search for the words. */

import { useEffect, useId, useRef, useState } from "preact/hooks";
import type { User } from "@chatx/sdk";
import { talkTo } from "../state/actions";
import { roomList } from "../state/chat";
import { closeDialog } from "../state/dialogs";
import { nameOf, roomTitle } from "../state/names";
import type { RoomState } from "../state/room";
import { go, paths } from "../state/router";
import { api, me } from "../state/session";
import { attempt } from "../state/toasts";
import { strings } from "../strings";
import { Avatar, RoomAvatar } from "./avatar";
import { Dialog } from "./dialog";
import { Icon } from "./icons";

type Way =
  | { key: string; kind: "room"; room: RoomState }
  | { key: string; kind: "person"; user: User }
  | { key: string; kind: "search" | "discover" };

const mostRooms = 7;
const mostPeople = 4;
const peopleAfterMs = 200;

export function Switcher() {
  const id = useId();
  const [query, setQuery] = useState("");
  const [people, setPeople] = useState<readonly User[]>([]);
  const [active, setActive] = useState(0);
  const input = useRef<HTMLInputElement>(null);
  const ways = waysTo(query.trim(), people);

  useEffect(() => input.current?.focus(), []);
  useEffect(() => {
    const words = query.trim();
    if (words === "") return setPeople([]);
    let stale = false;
    const timer = setTimeout(() => {
      api.findUsers(words, mostPeople + 1).then((found) => !stale && setPeople(found), () => undefined);
    }, peopleAfterMs);
    return () => {
      stale = true;
      clearTimeout(timer);
    };
  }, [query]);

  function take(way: Way | undefined, words = query.trim()): void {
    if (way === undefined) return;
    closeDialog();
    if (way.kind === "room") go(paths.room(way.room.id));
    else if (way.kind === "person") void attempt(() => talkTo([way.user.id]));
    else go(way.kind === "search" ? paths.search({ query: words }) : paths.discover);
  }

  function onKeyDown(event: KeyboardEvent): void {
    const by = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (by !== 0) setActive((active + by + ways.length) % ways.length);
    else if (event.key === "Enter" && !event.isComposing) {
      // The field is ahead of what is drawn.
      const words = input.current?.value.trim() ?? "";
      if (words === query.trim()) take(ways[active]);
      else take(waysTo(words, people)[0], words);
    }
    else return;
    event.preventDefault();
  }

  return (
    <Dialog title={strings.search.anything} onClose={closeDialog}>
      <div class="input">
        <Icon name="search" />
        <input
          ref={input}
          type="text"
          role="combobox"
          aria-expanded="true"
          aria-controls={id}
          aria-activedescendant={`${id}-${active}`}
          aria-label={strings.search.anythingHint}
          placeholder={strings.search.anythingHint}
          autocomplete="off"
          spellcheck={false}
          data-testid="switch-input"
          onInput={(event) => {
            setQuery(event.currentTarget.value);
            setActive(0);
          }}
          onKeyDown={onKeyDown}
        />
      </div>
      <ul class="ways" role="listbox" id={id} aria-label={strings.search.anything}>
        {ways.map((way, index) => (
          <li key={way.key} id={`${id}-${index}`} role="option" aria-selected={index === active} onClick={() => take(way)}
            onPointerMove={() => setActive(index)}>
            <WayText way={way} query={query.trim()} />
          </li>
        ))}
      </ul>
    </Dialog>
  );
}

function WayText({ way, query }: { way: Way; query: string }) {
  switch (way.kind) {
    case "room":
      return <><RoomAvatar room={way.room} /><span>{roomTitle(way.room)}</span></>;
    case "person":
      return <><Avatar user={way.user} /><span>{nameOf(way.user)} <span class="muted">@{way.user.username}</span></span></>;
    case "search":
      return <><Icon name="search" /><span>{strings.search.messagesWith(query)}</span></>;
    case "discover":
      return <><Icon name="compass" /><span>{strings.rooms.discover}</span></>;
  }
}

function waysTo(query: string, people: readonly User[]): Way[] {
  const words = query.toLowerCase();
  const fit = (room: RoomState) => fitOf(roomTitle(room).toLowerCase(), words);
  // What fits as well stays in the order of the list.
  const found = roomList.value.filter((room) => fit(room) < 3).sort((a, b) => fit(a) - fit(b)).slice(0, mostRooms);
  const ways: Way[] = found.map((room) => ({ key: room.id, kind: "room", room }));
  if (query === "") return [...ways, { key: "discover", kind: "discover" }];
  const others = people.filter((user) => user.id !== me.value?.id).slice(0, mostPeople);
  return [...ways, ...others.map((user): Way => ({ key: user.id, kind: "person", user })), { key: "search", kind: "search" }];
}

/** How well a name fits what was typed: 0 for the very name, 3 for not at all. */
function fitOf(name: string, words: string): number {
  if (name === words) return 0;
  return name.startsWith(words) ? 1 : name.includes(words) ? 2 : 3;
}
