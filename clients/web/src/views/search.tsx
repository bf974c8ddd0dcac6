/** Messages that were looked for, in one room or in all of one's own. */

import { useEffect, useRef, useState } from "preact/hooks";
import { asRefusal, type Id, type SearchHit } from "@chatx/sdk";
import { rooms } from "../state/chat";
import { nameOf, roomTitle } from "../state/names";
import { go, paths } from "../state/router";
import { api } from "../state/session";
import { fullTime, shortTime } from "../state/times";
import { refusalText, strings } from "../strings";
import { Avatar } from "./avatar";
import { Icon } from "./icons";

interface Found {
  query: string;
  hits: readonly SearchHit[];
  next: string | undefined;
}

type Has = "file" | "link" | undefined;

export function Search({ query: asked, room }: { query: string; room: Id | undefined }) {
  const [query, setQuery] = useState(asked);
  const [has, setHas] = useState<Has>();
  const [found, setFound] = useState<Found>();
  const [problem, setProblem] = useState<string>();
  const [busy, setBusy] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const state = room === undefined ? undefined : rooms.value.get(room);

  useEffect(() => {
    document.title = `${strings.search.title} · ${strings.name}`;
    input.current?.focus();
  }, []);
  useEffect(() => {
    setQuery(asked);
    if (asked !== "") void look(asked);
    else setFound(undefined);
  }, [asked, has]);

  async function look(words: string, after?: Found): Promise<void> {
    setBusy(true);
    setProblem(undefined);
    try {
      const page = await api.search({
        q: words, limit: 30,
        ...(room === undefined ? {} : { room }),
        ...(has === undefined ? {} : { has }),
        ...(after?.next === undefined ? {} : { cursor: after.next }),
      });
      setFound({ query: words, hits: [...(after?.hits ?? []), ...page.hits], next: page.next_cursor ?? undefined });
    } catch (thrown) {
      setProblem(refusalText(asRefusal(thrown)));
    } finally {
      setBusy(false);
    }
  }

  return (
    <main class="page" id="main">
      <header class="bar">
        <a class="icon-button narrow-only" href={paths.rooms} aria-label={strings.conversation.back}>
          <Icon name="back" />
        </a>
        <h1>{state === undefined ? strings.search.title : strings.search.inRoom(roomTitle(state))}</h1>
      </header>
      <div class="page-body">
        <form
          class="search input"
          role="search"
          onSubmit={(event) => {
            event.preventDefault();
            const words = query.trim();
            if (words === asked) void look(words);
            else go(paths.search(words, room), true);
          }}
        >
          <Icon name="search" />
          <input
            ref={input}
            type="search"
            value={query}
            placeholder={strings.search.placeholder}
            aria-label={strings.search.placeholder}
            data-testid="search-input"
            onInput={(event) => setQuery(event.currentTarget.value)}
          />
        </form>
        <div class="filters">
          {state !== undefined && <a class="chip" href={paths.search(asked)}>{strings.search.everywhere}</a>}
          {(["link", "file"] as const).map((kind) => (
            <button key={kind} type="button" class="chip" aria-pressed={has === kind} onClick={() => setHas(has === kind ? undefined : kind)}>
              {strings.search.has[kind]}
            </button>
          ))}
        </div>
        {problem !== undefined && <p class="problem" role="alert">{problem}</p>}
        <p class="visually-hidden" role="status">{found === undefined ? "" : strings.search.count(found.hits.length)}</p>
        {found === undefined ? (
          !busy && <p class="muted nothing">{strings.search.hint}</p>
        ) : found.hits.length === 0 && found.next === undefined ? (
          <p class="muted nothing">{strings.search.nothing(found.query)}</p>
        ) : (
          <ul class="found" data-testid="hits">
            {found.hits.map((hit) => <Hit key={hit.message.id} hit={hit} words={found.query} />)}
          </ul>
        )}
        {found?.next !== undefined && (
          <button type="button" class="button" disabled={busy} onClick={() => void look(found.query, found)}>{strings.rooms.more}</button>
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
        <span class="found-text"><Marked text={snippet} words={words} /></span>
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
