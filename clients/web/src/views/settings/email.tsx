/** One's address: whether it is known to be one's own, and another one. */

import { useState } from "preact/hooks";
import { api, me, updateMe } from "../../state/session";
import { attempt, toast } from "../../state/toasts";
import { strings } from "../../strings";
import { Field, Problem, Submit, useForm } from "../form";

export function Email() {
  const [changing, setChanging] = useState(false);
  const user = me.value;
  const hasPassword = user?.has_password !== false;
  const form = useForm(
    async (data) => {
      const email = String(data.get("email")).trim();
      await updateMe(hasPassword ? { email, password: String(data.get("password")) } : { email });
      setChanging(false);
      toast(strings.settings.mailSent);
    },
    hasPassword ? { email_taken: "email", invalid_credentials: "password" } : { email_taken: "email" },
    { invalid_credentials: hasPassword ? strings.settings.wrongCurrent : strings.settings.comeAgain },
  );
  if (user === undefined) return null;
  const verified = user.email_verified === true;
  return (
    <section class="setting" data-testid="email-setting">
      <h3>{strings.auth.email}</h3>
      <div class="row">
        <div class="row-text">
          <strong>
            {user.email || strings.settings.noEmail}
            {user.email && <span class={verified ? "tag accent" : "tag"}>{verified ? strings.settings.verified : strings.settings.unverified}</span>}
          </strong>
          {user.email && !verified && <p class="muted">{strings.settings.unverifiedText}</p>}
        </div>
        {user.email && !verified && (
          <button type="button" class="link" data-testid="resend" onClick={() => void resend()}>{strings.settings.resend}</button>
        )}
      </div>
      {!changing ? (
        <button type="button" class="button" data-testid="change-email" onClick={() => setChanging(true)}>{strings.settings.changeEmail}</button>
      ) : (
        <form onSubmit={form.onSubmit} noValidate data-testid="email-form">
          <Field form={form} name="email" label={strings.settings.newEmail} type="email" testid="new-email" autocomplete="email" autofocus />
          {hasPassword && <Field form={form} name="password" label={strings.settings.current} type="password" testid="email-password" autocomplete="current-password" />}
          <Problem form={form} />
          <Submit form={form}>{strings.settings.changeEmail}</Submit>
        </form>
      )}
    </section>
  );
}

export async function resend(): Promise<void> {
  await attempt(async () => {
    await api.resendVerification();
    toast(strings.settings.mailSent);
  });
}
