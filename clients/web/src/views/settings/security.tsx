/** What keeps others out of the account. */

import { api } from "../../state/session";
import { toast } from "../../state/toasts";
import { strings } from "../../strings";
import { Field, Problem, Submit, useForm } from "../form";

export function Security() {
  return <Password />;
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
      <Field form={form} name="current" label={strings.settings.current} type="password" autocomplete="current-password" testid="current-password" />
      <Field form={form} name="new" label={strings.settings.next} type="password" hint={strings.auth.passwordHint} autocomplete="new-password" testid="new-password" />
      <Problem form={form} />
      <Submit form={form}>{strings.settings.change}</Submit>
    </form>
  );
}
