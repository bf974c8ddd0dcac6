/** A button that opens a list of things to do. It stands in the browser's top layer, so nothing cuts it off. */

import type { ComponentChildren } from "preact";
import { useRef, useState } from "preact/hooks";
import { focusIsLost } from "./focus";
import { Icon, type IconName } from "./icons";

interface MenuProps {
  label: string;
  icon?: IconName;
  testid?: string;
  /** What can be done, as `MenuItem`s; asked for when it opens. */
  children(): ComponentChildren;
}

export function Menu({ label, icon = "more", testid, children }: MenuProps) {
  const [open, setOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const list = useRef<HTMLDivElement>(null);

  /** Below the button, or above it where there is no room below. */
  function place(): void {
    const [at, shown] = [button.current?.getBoundingClientRect(), list.current];
    if (at === undefined || shown === null) return;
    const below = at.bottom + shown.offsetHeight + 12 < innerHeight;
    shown.style.top = `${below ? at.bottom + 4 : Math.max(8, at.top - shown.offsetHeight - 4)}px`;
    shown.style.left = `${Math.max(8, Math.min(at.right - shown.offsetWidth, innerWidth - shown.offsetWidth - 8))}px`;
    items()[0]?.focus();
  }

  function items(): HTMLElement[] {
    return [...(list.current?.querySelectorAll<HTMLElement>("[role=menuitem]") ?? [])];
  }

  function onKeyDown(event: KeyboardEvent): void {
    const all = items();
    const at = all.findIndex((item) => item === document.activeElement);
    const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
    if (next !== undefined) all[(next + all.length) % all.length]?.focus();
    // Closed, it gives the focus back to its button, from where Tab goes on.
    else if (event.key === "Escape" || event.key === "Tab") list.current?.hidePopover();
    else return;
    event.stopPropagation();
    if (event.key !== "Tab") event.preventDefault();
  }

  return (
    <>
      <button
        ref={button}
        type="button"
        class="icon-button"
        aria-label={label}
        title={label}
        aria-haspopup="menu"
        aria-expanded={open}
        data-testid={testid}
        onClick={() => {
          setOpen(true);
          requestAnimationFrame(() => {
            list.current?.showPopover();
            place();
          });
        }}
      >
        <Icon name={icon} />
      </button>
      {open && (
        <div
          ref={list}
          class="menu-items"
          role="menu"
          aria-label={label}
          popover="auto"
          onKeyDown={onKeyDown}
          onToggle={(event) => {
            if (event.newState !== "closed") return;
            setOpen(false);
            // Whoever closed it without a choice is where they were.
            if (focusIsLost()) button.current?.focus();
          }}
          onClick={() => list.current?.hidePopover()}
        >
          {children()}
        </div>
      )}
    </>
  );
}

interface MenuItemProps {
  icon?: IconName;
  bad?: boolean;
  testid?: string;
  onChoose(): void;
  children: ComponentChildren;
}

export function MenuItem({ icon, bad, testid, onChoose, children }: MenuItemProps) {
  return (
    <button type="button" role="menuitem" tabIndex={-1} class={bad ? "bad" : ""} data-testid={testid} onClick={onChoose}>
      {icon !== undefined && <Icon name={icon} />}
      {children}
    </button>
  );
}
