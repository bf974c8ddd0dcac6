/** Dialogs on the browser's own `<dialog>`: it traps the focus, closes on Escape and gives the focus back. */

import { effect } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { dialog } from "../state/dialogs";
import { strings } from "../strings";
import { focusIsLost, rememberFocus } from "./focus";
import { Icon } from "./icons";

// Closed at once, and not only with the next frame: the page that it goes to may take the focus.
effect(() => {
  if (dialog.value === undefined) for (const open of document.querySelectorAll<HTMLDialogElement>("dialog.dialog[open]")) open.close();
});

interface DialogProps {
  title: string;
  onClose: () => void;
  wide?: boolean;
  children: ComponentChildren;
}

export function Dialog({ title, onClose, wide, children }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  useEffect(() => {
    const shown = element.current;
    const back = rememberFocus();
    shown?.showModal();
    shown?.querySelector<HTMLElement>("[data-autofocus]")?.focus();
    return () => {
      const hadFocus = shown?.contains(document.activeElement) === true;
      // Removed from the page while open, a dialog would keep the focus to itself: it is closed first.
      shown?.close();
      if (hadFocus || focusIsLost()) back();
    };
  }, []);
  return (
    <dialog
      ref={element}
      class={wide ? "dialog wide" : "dialog"}
      aria-labelledby={titleId}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onMouseDown={(event) => {
        if (event.target === element.current) onClose();
      }}
    >
      <div class="dialog-body">
        <header>
          <h2 id={titleId}>{title}</h2>
          <button type="button" class="icon-button" aria-label={strings.common.close} onClick={onClose}>
            <Icon name="close" />
          </button>
        </header>
        {children}
      </div>
    </dialog>
  );
}

interface ConfirmProps {
  title: string;
  text: string;
  action: string;
  /** Whether it takes nothing from anybody. */
  harmless?: boolean;
  onConfirm: () => Promise<unknown>;
  onClose: () => void;
}

/** Asks before what cannot be taken back. */
export function Confirm({ title, text, action, harmless, onConfirm, onClose }: ConfirmProps) {
  const [busy, setBusy] = useState(false);
  return (
    <Dialog title={title} onClose={onClose}>
      <p class="muted">{text}</p>
      <footer>
        <button type="button" class="button" data-autofocus onClick={onClose}>
          {strings.common.cancel}
        </button>
        <button
          type="button"
          class={harmless === true ? "button primary" : "button danger"}
          data-testid="confirm"
          disabled={busy}
          onClick={async () => {
            setBusy(true);
            await onConfirm();
            onClose();
          }}
        >
          {action}
        </button>
      </footer>
    </Dialog>
  );
}
