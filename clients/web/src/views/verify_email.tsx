/** Asks for what the mail asks for, until it is done or not wanted. */

import { signal } from "@preact/signals";
import { remembered } from "../browser";
import { me } from "../state/session";
import { strings } from "../strings";
import { Icon } from "./icons";
import { resend } from "./settings/email";

const key = "chatx.unverified";
/** The address of which one does not want to hear. */
const unwanted = signal(remembered.get(key));

export function VerifyEmail() {
  const email = me.value?.email;
  if (!email || me.value?.email_verified !== false || unwanted.value === email) return null;
  function leave(address: string): void {
    unwanted.value = address;
    remembered.set(key, address);
  }
  return (
    <section class="verify-email" aria-label={strings.auth.verifyTitle} data-testid="verify-email">
      <p>{strings.auth.verifyAsked(email)}</p>
      <button type="button" class="link" onClick={() => void resend()}>{strings.settings.resend}</button>
      <button type="button" class="icon-button" aria-label={strings.common.dismiss} onClick={() => leave(email)}>
        <Icon name="close" />
      </button>
    </section>
  );
}
