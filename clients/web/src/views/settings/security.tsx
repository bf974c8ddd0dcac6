/** What keeps others out of the account. */

import { api, me } from "../../state/session";
import { attempt, toast } from "../../state/toasts";
import { strings } from "../../strings";
import { AccountName, Field, Problem, Submit, useForm } from "../form";
import { Identities } from "./identities";
import { Totp } from "./totp";

export function Security() {
  return (
    <>
      {me.value?.has_password === false ? <NoPassword /> : <Password />}
      {me.value?.totp !== undefined && <Totp />}
      <Identities />
    </>
  );
}

/** Who came by a provider has none, and sets one as if it were forgotten. */
function NoPassword() {
  const email = me.value?.email ?? "";
  const send = () => attempt(async () => {
    await api.requestReset(email);
    toast(strings.auth.forgotSent(email));
  });
  return (
    <section class="setting">
      <h3>{strings.settings.password}</h3>
      <p class="muted">{strings.settings.noPassword}</p>
      <button type="button" class="button" onClick={() => void send()}>{strings.settings.setPassword}</button>
    </section>
  );
}

function Password() {
  const form = useForm(
    async (data, element) => {
      await api.changePassword(String(data.get("current")), String(data.get("new")));
      element.reset();
      toast(strings.settings.changed);
    },
    { invalid_credentials: "current", wrong_password: "current" },
    { invalid_credentials: strings.settings.wrongCurrent, wrong_password: strings.settings.wrongCurrent },
  );
  return (
    <form class="setting" onSubmit={form.onSubmit} noValidate data-testid="password-form">
      <h3>{strings.settings.password}</h3>
      <AccountName />
      <Field form={form} name="current" label={strings.settings.current} type="password" autocomplete="current-password" testid="current-password" />
      <Field form={form} name="new" label={strings.settings.next} type="password" hint={strings.auth.passwordHint} autocomplete="new-password" testid="new-password" />
      <Problem form={form} />
      <Submit form={form}>{strings.settings.change}</Submit>
    </form>
  );
}
