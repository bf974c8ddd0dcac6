/** The frame of what stands beside a conversation. */

import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { type Side, side } from "../state/dialogs";
import { strings } from "../strings";
import { focusIsLost, rememberFocus } from "./focus";
import { Icon } from "./icons";

interface SidePaneProps {
  title: string;
  testid: string;
  children: ComponentChildren;
}

/** The way back of whoever asked for what is shown next. */
let back: (() => void) | undefined;

/** Shows that beside the conversation, or nothing if it is shown already. Whoever asks for it is then there. */
export function showBeside(next: Side): void {
  const same = side.value?.kind === next.kind && next.kind !== "thread";
  back = same ? undefined : rememberFocus();
  side.value = same ? undefined : next;
}

export function SidePane({ title, testid, children }: SidePaneProps) {
  const pane = useRef<HTMLElement>(null);
  useEffect(() => {
    const element = pane.current;
    const goBack = back;
    back = undefined;
    // It may have taken the focus to where one writes in it.
    if (goBack !== undefined && element?.contains(document.activeElement) === false) element.focus();
    return () => {
      if (focusIsLost() || element?.contains(document.activeElement) === true) goBack?.();
    };
  }, []);

  function onKeyDown(event: KeyboardEvent): void {
    if (event.key !== "Escape" || event.defaultPrevented) return;
    event.preventDefault();
    event.stopPropagation();
    side.value = undefined;
  }

  return (
    <aside ref={pane} class="details" tabIndex={-1} aria-label={title} data-testid={`${testid}-pane`} onKeyDown={onKeyDown}>
      <header class="bar">
        <h2>{title}</h2>
        <button type="button" class="icon-button" aria-label={strings.details.close} onClick={() => (side.value = undefined)}>
          <Icon name="close" />
        </button>
      </header>
      {children}
    </aside>
  );
}
