/** Beginning a conversation with one or some people. */

import { useEffect, useId, useRef, useState } from "preact/hooks";
import type { User } from "@chatx/sdk";
import { talkTo } from "../state/actions";
import { closeDialog } from "../state/dialogs";
import { nameOf } from "../state/names";
import { api, me } from "../state/session";
import { attempt } from "../state/toasts";
import { strings } from "../strings";
import { Avatar } from "./avatar";
import { Problem, useForm } from "./form";
import { Dialog } from "./dialog";
import { Icon } from "./icons";

/** Ten people, oneself among them. */
const mostOthers = 9;
const searchAfterMs = 200;

export function NewMessage() {
  const id = useId();
  const [query, setQuery] = useState("");
  const [found, setFound] = useState<readonly User[]>([]);
  const [chosen, setChosen] = useState<readonly User[]>([]);
  const input = useRef<HTMLInputElement>(null);
  const form = useForm(async () => {
    await talkTo(chosen.map((user) => user.id));
    closeDialog();
  });

  useEffect(() => input.current?.focus(), []);
  useEffect(() => {
    let stale = false;
    const timer = setTimeout(() => {
      void attempt(async () => {
        const users = query.trim() === "" ? [] : await api.findUsers(query.trim(), 8);
        if (!stale) setFound(users.filter((user) => user.id !== me.value?.id));
      });
    }, searchAfterMs);
    return () => {
      stale = true;
      clearTimeout(timer);
    };
  }, [query]);

  function toggle(user: User): void {
    const without = chosen.filter((other) => other.id !== user.id);
    setChosen(without.length < chosen.length ? without : [...chosen, user].slice(0, mostOthers));
    setQuery("");
    input.current?.focus();
  }

  const offered = found.filter((user) => !chosen.some((other) => other.id === user.id));
  return (
    <Dialog title={strings.direct.title} onClose={closeDialog}>
      <form onSubmit={form.onSubmit} noValidate>
        {chosen.length > 0 && (
          <ul class="chosen">
            {chosen.map((user) => (
              <li key={user.id}>
                <button type="button" class="chip" aria-label={strings.direct.remove(nameOf(user))} onClick={() => toggle(user)}>
                  {nameOf(user)}
                  <Icon name="close" />
                </button>
              </li>
            ))}
          </ul>
        )}
        <div class="field">
          <label for={id}>{strings.direct.to}</label>
          <div class="input">
            <Icon name="search" />
            <input
              id={id}
              ref={input}
              value={query}
              autocomplete="off"
              spellcheck={false}
              placeholder={strings.direct.hint}
              data-testid="direct-search"
              onInput={(event) => setQuery(event.currentTarget.value)}
              onKeyDown={(event) => {
                const [first] = offered;
                if (event.key !== "Enter" || query.trim() === "" || first === undefined) return;
                event.preventDefault();
                toggle(first);
              }}
            />
          </div>
        </div>
        <ul class="people">
          {offered.map((user) => (
            <li key={user.id}>
              <button type="button" data-testid="person" onClick={() => toggle(user)}>
                <Avatar user={user} small />
                <span>{nameOf(user)}</span>
                <span class="muted">@{user.username}</span>
              </button>
            </li>
          ))}
        </ul>
        <Problem form={form} />
        <footer>
          <button type="button" class="button" onClick={closeDialog}>{strings.common.cancel}</button>
          <button type="submit" class="button primary" data-testid="direct-start" disabled={chosen.length === 0 || form.busy}>
            {strings.direct.start}
          </button>
        </footer>
      </form>
    </Dialog>
  );
}
