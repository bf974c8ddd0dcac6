/** Short messages that come and go: for what was done, or could not be, away from any form. */

import { signal } from "@preact/signals";
import { asRefusal } from "@chatx/sdk";
import { refusalText } from "../strings";

export interface Toast {
  id: number;
  text: string;
  tone: "plain" | "bad";
}

export const toasts = signal<readonly Toast[]>([]);
const staysMs = 6_000;
let made = 0;

export function toast(text: string, tone: Toast["tone"] = "plain"): void {
  const id = ++made;
  toasts.value = [...toasts.value.slice(-2), { id, text, tone }];
  setTimeout(() => dismiss(id), staysMs);
}

export function dismiss(id: number): void {
  toasts.value = toasts.value.filter((other) => other.id !== id);
}

/** Does something that a button started, and says when it was refused. */
export async function attempt(action: () => Promise<unknown>): Promise<boolean> {
  try {
    await action();
    return true;
  } catch (thrown) {
    toast(refusalText(asRefusal(thrown)), "bad");
    return false;
  }
}

/** Does what nobody asked for just now. That there is no connection is said elsewhere, once. */
export async function inBackground(action: () => Promise<unknown>): Promise<boolean> {
  try {
    await action();
    return true;
  } catch (thrown) {
    const refused = asRefusal(thrown);
    if (!refused.passing) toast(refusalText(refused), "bad");
    return false;
  }
}
