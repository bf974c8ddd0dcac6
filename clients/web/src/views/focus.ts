/** Where the focus goes by keys, and goes back to when what took it is gone. */

/** Remembers who has the focus; the answer gives it back, or to what is around them where they are gone themselves. */
export function rememberFocus(): () => void {
  const around: HTMLElement[] = [];
  for (let at = document.activeElement; at !== null && at !== document.body; at = at.parentElement) {
    if (at instanceof HTMLElement) around.push(at);
  }
  return () => {
    for (const element of around) {
      if (!element.isConnected) continue;
      element.focus();
      if (document.activeElement === element) return;
    }
  };
}

/** Whether nothing has the focus, because what had it is gone. */
export function focusIsLost(): boolean {
  return document.activeElement === null || document.activeElement === document.body;
}

/** By the arrows from one message to the next, within a log that has the keys. */
export function stepBetweenMessages(event: KeyboardEvent): void {
  const by = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
  const { currentTarget: log, target: line } = event;
  if (by === 0 || event.altKey || event.ctrlKey || event.metaKey) return;
  if (!(log instanceof HTMLElement) || !(line instanceof HTMLElement) || !line.matches(".message")) return;
  event.preventDefault();
  const all = [...log.querySelectorAll<HTMLElement>(".message")];
  all[all.indexOf(line) + by]?.focus();
}
