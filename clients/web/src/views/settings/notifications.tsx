/** Of what the browser tells while nobody looks. */

import { possible, want, type Wanted, wanted } from "../../state/notifications";
import { toast } from "../../state/toasts";
import { strings } from "../../strings";

export function Notifications() {
  if (!possible) return <p class="muted">{strings.notifications.refused}</p>;
  async function choose(next: Wanted): Promise<void> {
    if (!(await want(next))) toast(strings.notifications.refused, "bad");
  }
  return (
    <section class="setting">
      <p class="muted">{strings.notifications.text}</p>
      <fieldset class="segments">
        <legend class="visually-hidden">{strings.notifications.heading}</legend>
        {(["off", "personal", "all"] as const).map((choice) => (
          <label key={choice}>
            <input type="radio" name="notifications" checked={wanted.value === choice} onChange={() => void choose(choice)} />
            <span>{strings.notifications.wanted[choice]}</span>
          </label>
        ))}
      </fieldset>
    </section>
  );
}
