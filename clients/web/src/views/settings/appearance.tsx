/** How the page looks on this device. */

import { theme } from "../../state/preferences";
import { strings } from "../../strings";

export function Appearance() {
  return (
    <section class="setting">
      <p class="muted">{strings.settings.appearanceText}</p>
      <fieldset class="segments">
        <legend class="visually-hidden">{strings.settings.sections.appearance}</legend>
        {(["system", "light", "dark"] as const).map((choice) => (
          <label key={choice}>
            <input type="radio" name="theme" checked={theme.value === choice} onChange={() => (theme.value = choice)} />
            <span>{strings.themes[choice]}</span>
          </label>
        ))}
      </fieldset>
    </section>
  );
}
