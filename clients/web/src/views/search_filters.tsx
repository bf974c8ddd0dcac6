/** Where, by whom, when and with what a message is looked for. */

import { useEffect, useId, useState } from "preact/hooks";
import { roomList } from "../state/chat";
import { roomTitle } from "../state/names";
import { knownName, userNamed } from "../state/people";
import type { Ask } from "../state/router";
import { attempt } from "../state/toasts";
import { strings } from "../strings";

interface SearchFiltersProps {
  ask: Ask;
  onChange(change: Partial<Ask>): void;
}

export function SearchFilters({ ask, onChange }: SearchFiltersProps) {
  const id = useId();
  const texts = strings.search;
  return (
    <div class="filters" data-testid="search-filters">
      <div class="field">
        <label for={`${id}-room`}>{texts.where}</label>
        <div class="input">
          <select id={`${id}-room`} data-testid="search-room" value={ask.room ?? ""} onChange={(event) => onChange({ room: event.currentTarget.value || undefined })}>
            <option value="">{texts.everywhere}</option>
            {roomList.value.map((room) => <option key={room.id} value={room.id}>{roomTitle(room)}</option>)}
          </select>
        </div>
      </div>
      <Sender ask={ask} onChange={onChange} />
      {(["since", "until"] as const).map((name) => (
        <div key={name} class="field day-field">
          <label for={`${id}-${name}`}>{texts[name]}</label>
          <div class="input">
            <input id={`${id}-${name}`} type="date" value={ask[name] ?? ""} data-testid={`search-${name}`}
              onChange={(event) => onChange({ [name]: event.currentTarget.value || undefined })} />
          </div>
        </div>
      ))}
      <div class="kinds" role="group" aria-label={texts.with}>
        {(["link", "file"] as const).map((kind) => (
          <button key={kind} type="button" class="chip" aria-pressed={ask.has === kind} data-testid={`search-${kind}`}
            onClick={() => onChange({ has: ask.has === kind ? undefined : kind })}>
            {texts.has[kind]}
          </button>
        ))}
      </div>
    </div>
  );
}

/** A person by their username; it counts once one leaves the field or presses Enter. */
function Sender({ ask, onChange }: SearchFiltersProps) {
  const id = useId();
  const [text, setText] = useState("");
  const [unknown, setUnknown] = useState(false);
  const known = ask.sender === undefined ? "" : knownName(ask.sender);
  useEffect(() => setText(known), [known]);

  function take(): void {
    setUnknown(false);
    if (text.trim() === known) return;
    if (text.trim() === "") return onChange({ sender: undefined });
    void attempt(async () => {
      const user = await userNamed(text.trim());
      if (user === undefined) setUnknown(true);
      else onChange({ sender: user.id });
    });
  }

  return (
    <div class="field">
      <label for={id}>{strings.search.by}</label>
      <div class="input">
        <input id={id} value={text} placeholder={strings.search.anybody} autocomplete="off" autocapitalize="none" spellcheck={false}
          aria-invalid={unknown} aria-describedby={unknown ? `${id}-error` : undefined} data-testid="search-sender"
          onInput={(event) => setText(event.currentTarget.value)}
          onBlur={take}
          onKeyDown={(event) => event.key === "Enter" && take()}
        />
      </div>
      {unknown && <p class="error" id={`${id}-error`}>{strings.admin.audit.nobody}</p>}
    </div>
  );
}
