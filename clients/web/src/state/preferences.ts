/** What this device remembers of its user's taste. */

import { effect, signal } from "@preact/signals";
import { browser } from "../browser";
import type { ChosenPresence } from "../protocol";

export type Theme = "system" | "light" | "dark";

const themeKey = "chatx.theme";
const presenceKey = "chatx.presence";

export const theme = signal<Theme>(oneOf(browser.storage.get(themeKey), ["system", "light", "dark"]));
export const chosenPresence = signal<ChosenPresence>(
  oneOf(browser.storage.get(presenceKey), ["online", "away", "dnd", "invisible"]),
);

effect(() => {
  document.documentElement.dataset["theme"] = theme.value;
  browser.storage.set(themeKey, theme.value);
});
effect(() => browser.storage.set(presenceKey, chosenPresence.value));

/** The stored choice, or the first one. */
function oneOf<T extends string>(stored: string | null, choices: readonly [T, ...T[]]): T {
  return choices.find((choice) => choice === stored) ?? choices[0];
}
