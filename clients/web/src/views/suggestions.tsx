/** Whom one may call while writing: after an `@`, the people of the room whose names begin so. */

import { type RefObject } from "preact";
import { useId, useRef, useState } from "preact/hooks";
import type { UserRef } from "@chatx/sdk";
import { loadMembers } from "../state/chat";
import { nameOf } from "../state/names";
import { atLeast } from "../state/permissions";
import type { RoomState } from "../state/room";
import { me } from "../state/session";
import { attempt } from "../state/toasts";
import { strings } from "../strings";
import { Avatar } from "./avatar";

const mostShown = 6;
const begun = /(?:^|[\s(])@([\p{L}\p{N}_.-]*)$/u;

export interface Calls {
  found: readonly UserRef[];
  active: number;
  listId: string | undefined;
  activeId: string | undefined;
  /** Looks whether a name is being written where the caret stands. */
  look(): void;
  close(): void;
  choose(user: UserRef): void;
  /** Whether the key was for the list. */
  onKeyDown(event: KeyboardEvent): boolean;
}

export function useCalls(room: RoomState, box: RefObject<HTMLTextAreaElement | null>, changed: (text: string) => void): Calls {
  const id = useId();
  const [prefix, setPrefix] = useState<string>();
  const [active, setActive] = useState(0);
  // Known before the next frame shows it: a key in between is for the box.
  const isOpen = useRef(false);
  const found = prefix === undefined ? [] : people(room, prefix);

  function look(): void {
    const element = box.current;
    if (element === null) return;
    const match = begun.exec(element.value.slice(0, element.selectionStart));
    if (match !== null && room.members.value === undefined) void attempt(() => loadMembers(room));
    if (match?.[1] !== prefix) setActive(0);
    show(match?.[1]);
  }

  function show(next: string | undefined): void {
    isOpen.current = next !== undefined;
    setPrefix(next);
  }

  function choose(user: UserRef): void {
    const element = box.current;
    if (element === null || prefix === undefined) return;
    const start = element.selectionStart - prefix.length;
    element.setRangeText(`${user.username} `, start, element.selectionStart, "end");
    show(undefined);
    changed(element.value);
    element.focus();
  }

  function onKeyDown(event: KeyboardEvent): boolean {
    if (found.length === 0 || !isOpen.current) return false;
    const user = found[active];
    if (event.key === "ArrowDown") setActive((active + 1) % found.length);
    else if (event.key === "ArrowUp") setActive((active - 1 + found.length) % found.length);
    else if ((event.key === "Enter" || event.key === "Tab") && user !== undefined) choose(user);
    else if (event.key === "Escape") show(undefined);
    else return false;
    event.preventDefault();
    event.stopPropagation();
    return true;
  }

  const open = found.length > 0;
  return {
    found, active, look, choose, onKeyDown,
    listId: open ? id : undefined,
    activeId: open ? `${id}-${active}` : undefined,
    close: () => show(undefined),
  };
}

export function CallSuggestions({ calls }: { calls: Calls }) {
  if (calls.listId === undefined) return null;
  return (
    <ul class="suggestions" role="listbox" id={calls.listId} aria-label={strings.conversation.call}>
      {calls.found.map((user, index) => (
        <li
          key={user.id}
          id={`${calls.listId}-${index}`}
          role="option"
          aria-selected={index === calls.active}
          // The box keeps the focus.
          onPointerDown={(event) => {
            event.preventDefault();
            calls.choose(user);
          }}
        >
          <Avatar user={user} small />
          <span>{nameOf(user)}</span>
          <span class="muted">@{user.username}</span>
        </li>
      ))}
    </ul>
  );
}

function people(room: RoomState, prefix: string): UserRef[] {
  const wanted = prefix.toLowerCase();
  const known = new Map<string, UserRef>();
  for (const { user } of room.members.value ?? []) known.set(user.id, user);
  for (const user of room.online.value.values()) known.set(user.id, user);
  known.delete(me.value?.id ?? "");
  const everybody = { id: "room", username: "room", display_name: strings.conversation.everybody };
  const all = atLeast(room.info.value.role, "moderator") ? [...known.values(), everybody] : [...known.values()];
  const begins = (text: string) => text.toLowerCase().startsWith(wanted);
  return all.filter((user) => begins(user.username) || nameOf(user).split(/\s+/).some(begins)).slice(0, mostShown);
}
