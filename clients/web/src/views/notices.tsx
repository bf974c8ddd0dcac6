/** What floats over the page: how the connection is, and short messages that come and go. */

import { useEffect, useRef, useState } from "preact/hooks";
import { status } from "../state/chat";
import { chat } from "../state/session";
import { online } from "../state/page";
import { closeDialog, dialog } from "../state/dialogs";
import { dismiss, toasts } from "../state/toasts";
import { strings } from "../strings";
import { Dialog } from "./dialog";
import { Icon } from "./icons";

export function ConnectionStatus() {
  const now = status.value;
  const [, tick] = useState(0);
  useEffect(() => {
    if (now.kind !== "waiting") return;
    const timer = setInterval(() => tick((count) => count + 1), 500);
    return () => clearInterval(timer);
  }, [now]);

  const shown = online.value ? now.kind : "offline";
  const quiet = shown === "live" || shown === "idle";
  return (
    <div
      class={`connection ${quiet ? "visually-hidden" : ""} ${now.kind === "stopped" ? "bad" : ""}`}
      role="status"
      data-testid="connection-status"
      data-state={shown}
    >
      <span class="connection-dot" aria-hidden="true" />
      <span>{shown === "offline" ? strings.connection.offline : statusText()}</span>
      {shown === "waiting" && (
        <button type="button" class="link" onClick={retry}>{strings.connection.tryNow}</button>
      )}
      {shown === "stopped" && (
        <button type="button" class="link" onClick={retry}>{strings.connection.reconnect}</button>
      )}
    </div>
  );
}

function retry(): void {
  chat.live?.connection.retryNow();
}

function statusText(): string {
  const now = status.value;
  switch (now.kind) {
    case "live":
    case "idle":
      return strings.connection.live;
    case "connecting":
      return strings.connection.connecting;
    case "waiting": {
      const seconds = Math.ceil((now.until - Date.now()) / 1000);
      return seconds > 1 ? strings.connection.waiting(seconds) : strings.connection.waitingNow;
    }
    case "stopped":
      return strings.connection.stopped(now.code);
  }
}

export function Toasts() {
  const element = useRef<HTMLDivElement>(null);
  const newest = toasts.value.at(-1)?.id;
  // Only what was shown last in the browser's top layer stands above an open dialog.
  useEffect(() => {
    const shown = element.current;
    if (shown === null || typeof shown.showPopover !== "function") return;
    if (shown.matches(":popover-open")) shown.hidePopover();
    shown.showPopover();
  }, [newest]);
  return (
    <div class="toasts" role="status" popover="manual" ref={element}>
      {toasts.value.map((toast) => (
        <div key={toast.id} class={`toast ${toast.tone}`}>
          <span>{toast.text}</span>
          <button type="button" class="icon-button" aria-label={strings.common.dismiss} onClick={() => dismiss(toast.id)}>
            <Icon name="close" />
          </button>
        </div>
      ))}
    </div>
  );
}

export function Shortcuts() {
  return (
    <Dialog title={strings.shortcuts.title} wide onClose={closeDialog}>
      {strings.shortcuts.groups.map(([title, list]) => (
        <section key={title} class="shortcuts">
          <h3>{title}</h3>
          <dl>
            {list.map(([keys, what]) => (
              <div key={what}>
                <dt>{keys.map((key) => <kbd key={key}>{key}</kbd>)}</dt>
                <dd>{what}</dd>
              </div>
            ))}
          </dl>
        </section>
      ))}
      <p class="hint">{strings.shortcuts.markup}</p>
    </Dialog>
  );
}

/** Whether a dialog takes the keys. */
export function dialogIsOpen(): boolean {
  return dialog.value !== undefined || document.querySelector("dialog[open]") !== null;
}
