/** What a page asks the server for when it opens: the wait, the answer, and what stood in its way. */

import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { asRefusal, type Page } from "@chatx/sdk";
import { visible } from "../state/page";
import { refusalText, strings } from "../strings";

export interface Answer<T> {
  value: T | undefined;
  problem: string | undefined;
  /** Asks again; `before` is what the question may build on. */
  reload(before?: T): Promise<void>;
}

/** Asks when it is first drawn, and anew, from nothing, whenever `key` is another one. */
export function useAnswer<T>(ask: (before: T | undefined) => Promise<T>, key = ""): Answer<T> {
  const [answer, setAnswer] = useState<Omit<Answer<T>, "reload">>({ value: undefined, problem: undefined });
  // An answer that comes after a newer question says nothing.
  const asked = useRef(0);
  async function reload(before?: T): Promise<void> {
    const question = ++asked.current;
    try {
      const value = await ask(before);
      if (question === asked.current) setAnswer({ value, problem: undefined });
    } catch (thrown) {
      if (question === asked.current) setAnswer(({ value }) => ({ value, problem: refusalText(asRefusal(thrown)) }));
    }
  }
  useEffect(() => {
    setAnswer({ value: undefined, problem: undefined });
    void reload();
    return () => void asked.current++;
  }, [key]);
  return { ...answer, reload };
}

const againMs = 5_000;

/** Asks again and again while somebody looks, for what changes by itself. */
export function useRefreshed(answer: { reload(): Promise<void> }): void {
  const latest = useRef(answer);
  latest.current = answer;
  useEffect(() => {
    const timer = setInterval(() => visible.peek() && void latest.current.reload(), againMs);
    return () => clearInterval(timer);
  }, []);
}

export interface Pages<Entry> {
  value: readonly Entry[] | undefined;
  problem: string | undefined;
  reload(): Promise<void>;
  /** Reads the next part; undefined at the end of the list. */
  more: (() => Promise<void>) | undefined;
}

/** A list that is read part by part; `name` is what the server calls its entries. */
export function usePages<Name extends string, Entry>(
  name: Name,
  ask: (part: { cursor?: string }) => Promise<Page<Name, Entry>>,
  key = "",
): Pages<Entry> {
  const { value, problem, reload } = useAnswer<{ entries: readonly Entry[]; next: string | undefined }>(async (before) => {
    const page = await ask(before?.next === undefined ? {} : { cursor: before.next });
    return { entries: [...(before?.entries ?? []), ...page[name]], next: page.next_cursor ?? undefined };
  }, key);
  return {
    value: value?.entries,
    problem,
    reload: () => reload(),
    more: value?.next === undefined ? undefined : () => reload(value),
  };
}

interface LoadedProps<T> {
  of: { value: T | undefined; problem: string | undefined; reload(): Promise<void> };
  children(value: T): ComponentChildren;
}

/** Shows an answer once it is there. */
export function Loaded<T>({ of, children }: LoadedProps<T>) {
  return (
    <>
      {of.problem !== undefined && (
        <p class="problem" role="alert">
          {of.problem} <button type="button" class="link" onClick={() => void of.reload()}>{strings.conversation.tryAgain}</button>
        </p>
      )}
      {of.value !== undefined ? children(of.value) : of.problem === undefined && <p class="muted">{strings.common.loading}</p>}
    </>
  );
}

/** The way to the rest of a list. */
export function More({ of }: { of: Pages<unknown> }) {
  const { more } = of;
  if (more === undefined) return null;
  return <button type="button" class="button" data-testid="more-entries" onClick={() => void more()}>{strings.common.more}</button>;
}
