/** Where messages are written, and one's own are rewritten. */

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { limits, scalarCount } from "@chatx/sdk";
import { nameOf } from "../state/names";
import type { RoomState } from "../state/room";
import { api, chat } from "../state/session";
import type { MessageItem } from "../state/timeline";
import { attempt } from "../state/toasts";
import { strings } from "../strings";
import { roomName } from "./avatar";
import { Icon } from "./icons";

interface ComposerProps {
  room: RoomState;
  editing: MessageItem | undefined;
  onEditLast(): void;
  onEditDone(): void;
}

/** Above this the box scrolls. */
const tallestPx = 220;

export function Composer({ room, editing, onEditLast, onEditDone }: ComposerProps) {
  const box = useRef<HTMLTextAreaElement>(null);
  // The box itself holds the truth, for it is ahead of what is drawn; this follows it.
  const [text, setText] = useState("");
  const over = scalarCount(text.trim()) - limits.bodyMax;
  const sendable = text.trim() !== "" && over <= 0;

  useEffect(() => {
    put(editing?.body ?? room.draft);
    const element = box.current;
    // On a touch screen the keyboard would jump up with the focus; there, people tap for it.
    const touch = matchMedia("(hover: none)").matches;
    if (editing === undefined && touch) element?.closest("main")?.focus({ preventScroll: true });
    else element?.focus();
  }, [room, editing]);

  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return;
    element.style.height = "auto";
    element.style.height = `${Math.min(element.scrollHeight, tallestPx)}px`;
  }, [text]);

  useEffect(() => () => chat.live?.stoppedTyping(room.id), [room]);

  function put(next: string): void {
    if (box.current !== null) box.current.value = next;
    setText(next);
  }

  function typed(next: string): void {
    setText(next);
    if (editing !== undefined) return;
    room.draft = next;
    if (next.trim() === "") chat.live?.stoppedTyping(room.id);
    else chat.live?.typing(room.id);
  }

  function submit(): void {
    const body = box.current?.value.trim() ?? "";
    if (body === "" || scalarCount(body) > limits.bodyMax) return;
    if (editing === undefined) {
      chat.send(room.id, body);
      put("");
      typed("");
    } else if (body === editing.body) {
      onEditDone();
    } else {
      void attempt(() => api.edit(room.id, editing.seq, body)).then((done) => done && onEditDone());
    }
  }

  function onKeyDown(event: KeyboardEvent): void {
    // While a word is being composed (in Japanese, say), Enter picks it.
    if (event.isComposing) return;
    if (event.key === "Enter" && !event.shiftKey && !event.altKey) {
      event.preventDefault();
      submit();
    } else if (event.key === "Escape" && editing !== undefined) {
      event.stopPropagation();
      onEditDone();
    } else if (event.key === "ArrowUp" && box.current?.value === "" && editing === undefined && !event.altKey) {
      event.preventDefault();
      onEditLast();
    }
  }

  const label = strings.conversation.placeholder(roomName(room.info.value));
  return (
    <form
      class={editing === undefined ? "composer" : "composer is-editing"}
      onSubmit={(event) => {
        event.preventDefault();
        submit();
        box.current?.focus();
      }}
    >
      <Typing room={room} />
      {editing !== undefined && (
        <p class="composer-note">
          <Icon name="edit" />
          <span>{strings.conversation.editing}</span>
          <button type="button" class="link" onClick={onEditDone}>{strings.conversation.cancel}</button>
        </p>
      )}
      <div class="composer-box">
        <textarea
          ref={box}
          rows={1}
          placeholder={label}
          aria-label={label}
          title={strings.conversation.hint}
          aria-invalid={over > 0}
          enterkeyhint="send"
          data-testid="message-input"
          onInput={(event) => typed(event.currentTarget.value)}
          onKeyDown={onKeyDown}
        />
        <button
          type="submit"
          class="send"
          data-testid="send"
          disabled={!sendable}
          aria-label={editing === undefined ? strings.conversation.send : strings.conversation.saveEdit}
        >
          <Icon name={editing === undefined ? "send" : "check"} />
        </button>
      </div>
      {over > 0 && <p class="error" role="alert">{strings.conversation.tooLong(over)}</p>}
    </form>
  );
}

function Typing({ room }: { room: RoomState }) {
  const names = room.typing.value.map(nameOf);
  return (
    <p class="typing" data-testid="typing" aria-live="polite">
      {names.length > 0 && (
        <>
          <span class="typing-dots" aria-hidden="true"><i /><i /><i /></span>
          {strings.conversation.typing(names)}
        </>
      )}
    </p>
  );
}
