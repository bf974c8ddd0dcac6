/** What this device remembers of its user's taste. */

import { effect, signal } from "@preact/signals";
import { remembered } from "../browser";
import type { ChosenPresence } from "@chatx/sdk";

export type Theme = "system" | "light" | "dark";

const themeKey = "chatx.theme";
const presenceKey = "chatx.presence";

export const theme = signal<Theme>(oneOf(remembered.get(themeKey), ["system", "light", "dark"]));
export const chosenPresence = signal<ChosenPresence>(
  oneOf(remembered.get(presenceKey), ["online", "away", "dnd", "invisible"]),
);

effect(() => {
  document.documentElement.dataset["theme"] = theme.value;
  remembered.set(themeKey, theme.value);
});
effect(() => remembered.set(presenceKey, chosenPresence.value));

/** The stored choice, or the first one. */
function oneOf<T extends string>(stored: string | null, choices: readonly [T, ...T[]]): T {
  return choices.find((choice) => choice === stored) ?? choices[0];
}
