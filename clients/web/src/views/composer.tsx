/** Where messages are written, and one's own are rewritten. */

import { useSignalEffect } from "@preact/signals";
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { limits, scalarCount, type Seq } from "@chatx/sdk";
import { attachmentsOf } from "../state/attachments";
import { draft, returned } from "../state/drafts";
import { gist } from "../state/files";
import { nameOf, roomTitle } from "../state/names";
import type { RoomState } from "../state/room";
import { api, chat } from "../state/session";
import type { MessageItem } from "../state/timeline";
import { attempt } from "../state/toasts";
import { strings } from "../strings";
import { AttachmentTray, useDrop } from "./attachments";
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
  const place = useMemo(() => ({ room: room.id, thread }), [room, thread]);
  const attachments = attachmentsOf(place);
  /** Whether it is to be sent as soon as its files are uploaded. */
  const [pending, setPending] = useState(false);
  const attach = useCallback((files: readonly File[]) => attachmentsOf(place).add(files), [place]);
  const over = scalarCount(text.trim()) - limits.bodyMax;
  const carries = editing === undefined && attachments.list.value.length > 0;
  const sendable = over <= 0 && (text.trim() !== "" || carries) && !(carries && attachments.state === "stuck");
  const dropping = useDrop(box, attach);

  // At once, before anything can be typed that it would take away.
  useLayoutEffect(() => {
    put(editing?.body ?? draft.of(place));
    setPending(false);
    const element = box.current;
    // On a touch screen the keyboard would jump up with the focus; there, people tap for it.
    const touch = matchMedia("(pointer: coarse)").matches;
    if (editing === undefined && touch) element?.closest("main")?.focus({ preventScroll: true });
    else element?.focus();
  }, [room, editing, thread]);

  useSignalEffect(() => {
    const back = returned.value;
    if (back === undefined || back.room !== room.id || back.thread !== thread || editing !== undefined) return;
    returned.value = undefined;
    put(draft.of(place));
    box.current?.focus();
  });

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

  useEffect(() => {
    if (pending && attachments.state === "ready") submit();
    if (attachments.state === "stuck") setPending(false);
  }, [pending, attachments.list.value]);

  /** Editing, or answering, is given up. */
  function leave(): void {
    onDone?.();
    box.current?.focus();
  }

  function put(next: string): void {
    if (box.current !== null) box.current.value = next;
    setText(next);
  }

  function typed(next: string): void {
    setText(next);
    if (editing !== undefined) return;
    draft.keep(place, next);
    if (next.trim() === "") chat.live?.stoppedTyping(room.id);
    else chat.live?.typing(room.id);
  }

  function submit(): void {
    const body = box.current?.value.trim() ?? "";
    if (scalarCount(body) > limits.bodyMax) return;
    if (editing === undefined) {
      const { list, state } = attachments;
      if ((body === "" && list.value.length === 0) || state === "stuck") return;
      if (state === "busy") return setPending(true);
      const files = attachments.take();
      chat.send(room.id, {
        body,
        ...(files.length === 0 ? {} : { files }),
        ...(thread === undefined ? {} : { thread }),
        ...(replying === undefined ? {} : { reply_to: replying.seq }),
      });
      put("");
      typed("");
      setPending(false);
      onDone?.();
    } else if (body === "") {
      return;
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

  /** What is copied from a table is a text too, and meant as one. */
  function onPaste(event: ClipboardEvent): void {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length === 0 || editing !== undefined || event.clipboardData?.types.includes("text/plain") === true) return;
    event.preventDefault();
    attach(files);
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
      {editing !== undefined && <Note icon="edit" onCancel={leave}>{strings.conversation.editing}</Note>}
      {replying !== undefined && <Note icon="reply" onCancel={leave}>{strings.conversation.replying(nameOf(replying.user), gist(replying))}</Note>}
      {pending && <Note icon="clip" onCancel={() => {
        setPending(false);
        box.current?.focus();
      }}>{strings.files.sendsLater}</Note>}
      {editing === undefined && <AttachmentTray attachments={attachments} />}
      {dropping && <div class="drop" aria-hidden="true">{strings.files.drop}</div>}
      <div class="composer-box">
        <CallSuggestions calls={calls} />
        {editing === undefined && <AttachButton onChoose={attach} />}
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
          onInput={(event) => {
            typed(event.currentTarget.value);
            // A keyboard on a screen need not tell of its keys.
            calls.look();
          }}
          onKeyUp={calls.look}
          onClick={calls.look}
          onBlur={calls.close}
          onKeyDown={onKeyDown}
          onPaste={onPaste}
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

function AttachButton({ onChoose }: { onChoose(files: readonly File[]): void }) {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <button type="button" class="icon-button attach" aria-label={strings.files.attach} title={strings.files.attach} data-testid="attach"
        onClick={() => input.current?.click()}>
        <Icon name="clip" />
      </button>
      <input ref={input} type="file" multiple hidden data-testid="file-input"
        onChange={(event) => {
          onChoose([...(event.currentTarget.files ?? [])]);
          // The same file may be chosen again.
          event.currentTarget.value = "";
        }}
      />
    </>
  );
}

/** What is being done with the box, and the way out of it. */
function Note({ icon, onCancel, children }: { icon: IconName; onCancel(): void; children: string }) {
  return (
    <p class="composer-note">
      <Icon name={icon} />
      <span>{children}</span>
      <button type="button" class="link" onClick={onCancel}>{strings.conversation.cancel}</button>
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
