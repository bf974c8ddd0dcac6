/** Where messages are written, and one's own are rewritten. */

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { limits, scalarCount, type Seq } from "@chatx/sdk";
import { plain } from "../state/markup";
import { nameOf, roomTitle } from "../state/names";
import type { RoomState } from "../state/room";
import { api, chat } from "../state/session";
import type { MessageItem } from "../state/timeline";
import { attempt } from "../state/toasts";
import { strings } from "../strings";
import { Icon, type IconName } from "./icons";
import { CallSuggestions, useCalls } from "./suggestions";

interface ComposerProps {
  room: RoomState;
  editing?: MessageItem | undefined;
  replying?: MessageItem | undefined;
  /** The message that the thread begins with in which is written. */
  thread?: Seq;
  onEditLast?(): void;
  /** Editing, or answering, is over. */
  onDone?(): void;
}

/** Above this the box scrolls. */
const tallestPx = 220;

export function Composer({ room, editing, replying, thread, onEditLast, onDone }: ComposerProps) {
  const box = useRef<HTMLTextAreaElement>(null);
  // The box itself holds the truth, for it is ahead of what is drawn; this follows it.
  const [text, setText] = useState("");
  const calls = useCalls(room, box, typed);
  const over = scalarCount(text.trim()) - limits.bodyMax;
  const sendable = text.trim() !== "" && over <= 0;

  // At once, before anything can be typed that it would take away.
  useLayoutEffect(() => {
    put(editing?.body ?? (thread === undefined ? room.draft : ""));
    const element = box.current;
    // On a touch screen the keyboard would jump up with the focus; there, people tap for it.
    const touch = matchMedia("(hover: none)").matches;
    if (editing === undefined && touch) element?.closest("main")?.focus({ preventScroll: true });
    else element?.focus();
  }, [room, editing, thread]);

  useEffect(() => {
    if (replying !== undefined) box.current?.focus();
  }, [replying]);

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
    if (thread === undefined) room.draft = next;
    if (next.trim() === "") chat.live?.stoppedTyping(room.id);
    else chat.live?.typing(room.id);
  }

  function submit(): void {
    const body = box.current?.value.trim() ?? "";
    if (body === "" || scalarCount(body) > limits.bodyMax) return;
    if (editing === undefined) {
      chat.send(room.id, {
        body,
        ...(thread === undefined ? {} : { thread }),
        ...(replying === undefined ? {} : { reply_to: replying.seq }),
      });
      put("");
      typed("");
      onDone?.();
    } else if (body === editing.body) {
      onDone?.();
    } else {
      void attempt(() => api.edit(room.id, editing.seq, body)).then((done) => done && onDone?.());
    }
  }

  function onKeyDown(event: KeyboardEvent): void {
    // While a word is being composed (in Japanese, say), Enter picks it.
    if (event.isComposing || calls.onKeyDown(event)) return;
    if (event.key === "Enter" && !event.shiftKey && !event.altKey) {
      event.preventDefault();
      submit();
    } else if (event.key === "Escape" && (editing !== undefined || replying !== undefined)) {
      event.stopPropagation();
      onDone?.();
    } else if (event.key === "ArrowUp" && box.current?.value === "" && editing === undefined && !event.altKey) {
      event.preventDefault();
      onEditLast?.();
    }
  }

  const label = thread === undefined ? strings.conversation.placeholder(roomTitle(room)) : strings.conversation.placeholderThread;
  return (
    <form
      class={editing === undefined ? "composer" : "composer is-editing"}
      onSubmit={(event) => {
        event.preventDefault();
        submit();
        box.current?.focus();
      }}
    >
      {thread === undefined && <Typing room={room} />}
      {editing !== undefined && <Note icon="edit" onCancel={onDone}>{strings.conversation.editing}</Note>}
      {replying !== undefined && <Note icon="reply" onCancel={onDone}>{strings.conversation.replying(nameOf(replying.user), plain(replying.body))}</Note>}
      <div class="composer-box">
        <CallSuggestions calls={calls} />
        <textarea
          ref={box}
          rows={1}
          placeholder={label}
          aria-label={label}
          title={strings.conversation.hint}
          aria-invalid={over > 0}
          aria-autocomplete="list"
          aria-controls={calls.listId}
          aria-activedescendant={calls.activeId}
          enterkeyhint="send"
          data-testid={thread === undefined ? "message-input" : "thread-input"}
          onInput={(event) => typed(event.currentTarget.value)}
          onKeyUp={calls.look}
          onClick={calls.look}
          onBlur={calls.close}
          onKeyDown={onKeyDown}
        />
        <button
          type="submit"
          class="send"
          data-testid={thread === undefined ? "send" : "thread-send"}
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

/** What is being done with the box, and the way out of it. */
function Note({ icon, onCancel, children }: { icon: IconName; onCancel: (() => void) | undefined; children: string }) {
  return (
    <p class="composer-note">
      <Icon name={icon} />
      <span>{children}</span>
      <button type="button" class="link" onClick={() => onCancel?.()}>{strings.conversation.cancel}</button>
    </p>
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
