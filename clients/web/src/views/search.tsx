/** Messages that were looked for: by words in all of one's rooms, or in one by who, when and what. */

import { useEffect, useRef, useState } from "preact/hooks";
import { asRefusal, type SearchHit } from "@chatx/sdk";
import { rooms } from "../state/chat";
import { gist } from "../state/files";
import { plain } from "../state/markup";
import { nameOf, roomTitle } from "../state/names";
import { type Ask, go, paths } from "../state/router";
import { type Found, isAsked, look } from "../state/search";
import { fullTime, shortTime } from "../state/times";
import { refusalText, strings } from "../strings";
import { Avatar } from "./avatar";
import { Icon } from "./icons";
import { SearchFilters } from "./search_filters";
import { SearchInput } from "./search_input";

export function Search({ ask }: { ask: Ask }) {
  const [query, setQuery] = useState(ask.query);
  const [found, setFound] = useState<Found>();
  const [problem, setProblem] = useState<string>();
  const [busy, setBusy] = useState(false);
  // An answer that comes after a newer question says nothing.
  const asked = useRef(0);
  const path = paths.search(ask);
  const state = ask.room === undefined ? undefined : rooms.value.get(ask.room);

  useEffect(() => {
    document.title = `${strings.search.title} · ${strings.name}`;
  }, []);
  useEffect(() => {
    setQuery(ask.query);
    if (isAsked(ask)) void load();
    else setFound(undefined);
  }, [path]);

  async function load(before?: Found): Promise<void> {
    const question = ++asked.current;
    setBusy(true);
    setProblem(undefined);
    try {
      const next = await look(ask, before);
      if (question === asked.current) setFound(next);
    } catch (thrown) {
      if (question === asked.current) setProblem(refusalText(asRefusal(thrown)));
    } finally {
      if (question === asked.current) setBusy(false);
    }
  }

  function search(text: string): void {
    const words = text.trim();
    if (words === ask.query) void (isAsked(ask) && load());
    else go(paths.search({ ...ask, query: words }), true);
  }

  return (
    <main class="page" id="main" tabIndex={-1}>
      <header class="bar">
        <a class="icon-button narrow-only" href={paths.rooms} aria-label={strings.conversation.back}>
          <Icon name="back" />
        </a>
        <h1>{state === undefined ? strings.search.title : strings.search.inRoom(roomTitle(state))}</h1>
      </header>
      <div class="page-body">
        <SearchInput value={query} label={strings.search.placeholder} testid="search-input" onInput={setQuery} onSearch={search} />
        <SearchFilters ask={ask} onChange={(change) => go(paths.search({ ...ask, query: query.trim(), ...change }), true)} />
        {problem !== undefined && <p class="problem" role="alert">{problem}</p>}
        <p class="visually-hidden" role="status">{found === undefined ? "" : strings.search.count(found.hits.length)}</p>
        {found === undefined ? (
          !busy && <p class="muted nothing">{ask.query === "" ? strings.search.hint : ""}</p>
        ) : found.hits.length === 0 && found.next === undefined ? (
          <p class="muted nothing">{found.ask.query === "" ? strings.search.nothingSo : strings.search.nothing(found.ask.query)}</p>
        ) : (
          <ul class="found" data-testid="hits">
            {found.hits.map((hit) => <Hit key={hit.message.id} hit={hit} words={found.ask.query} />)}
          </ul>
        )}
        {found?.next !== undefined && (
          <button type="button" class="button" disabled={busy} onClick={() => void load(found)}>{strings.rooms.more}</button>
        )}
      </div>
    </main>
  );
}

function Hit({ hit: { message, room, snippet }, words }: { hit: SearchHit; words: string }) {
  const mine = rooms.value.get(room.id);
  return (
    <li>
      <a class="found-message" href={paths.message(room.id, message.seq)} data-testid="hit">
        <Avatar user={message.user} small />
        <span class="found-head">
          <strong>{nameOf(message.user)}</strong>
          <span class="muted">{mine === undefined ? room.name : roomTitle(mine)}</span>
          <time dateTime={message.at} title={fullTime(message.at)}>{shortTime(message.at)}</time>
        </span>
        <span class="found-text"><Marked text={snippet === "" ? gist(message) : plain(snippet)} words={words} /></span>
        {(message.files?.length ?? 0) > 0 && message.body !== "" && (
          <span class="muted">{strings.files.names(message.files?.map(({ name }) => name) ?? [])}</span>
        )}
      </a>
    </li>
  );
}

/** The words that were looked for stand out in what was found. */
function Marked({ text, words }: { text: string; words: string }) {
  const wanted = words.split(/\s+/).filter(Boolean).map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  if (wanted.length === 0) return <>{text}</>;
  const parts = text.split(new RegExp(`(${wanted.join("|")})`, "giu"));
  return <>{parts.map((part, index) => (index % 2 === 1 ? <mark key={index}>{part}</mark> : part))}</>;
}
