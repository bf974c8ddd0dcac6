/** How others see one. */

import { limits } from "@chatx/sdk";
import { nameOf } from "../../state/names";
import { me, updateMe } from "../../state/session";
import { toast } from "../../state/toasts";
import { strings } from "../../strings";
import { Avatar } from "../avatar";
import { Field, Problem, Submit, useForm } from "../form";
import { Email } from "./email";

export function Profile() {
  return (
    <>
      <Person />
      {me.value?.email_verified !== undefined && <Email />}
    </>
  );
}

function Person() {
  const user = me.value;
  const form = useForm(async (data) => {
    await updateMe({
      display_name: String(data.get("display_name")).trim(),
      status: String(data.get("status")).trim(),
      bio: String(data.get("bio")).trim(),
    });
    toast(strings.settings.saved);
  });
  if (user === undefined) return null;
  return (
    <form class="setting" onSubmit={form.onSubmit} noValidate>
      <div class="person-head">
        <Avatar user={user} />
        <div>
          <strong>{nameOf(user)}</strong>
          <p class="muted">@{user.username}</p>
        </div>
      </div>
      <Field form={form} name="display_name" label={strings.auth.displayName} value={user.display_name} maxLength={limits.displayNameMax} testid="display-name" />
      <Field form={form} name="status" label={strings.settings.statusLine} value={user.status ?? ""} hint={strings.settings.statusHint}
        optional maxLength={limits.statusMax} testid="status" />
      <Field form={form} name="bio" label={strings.settings.bio} value={user.bio ?? ""} optional multiline maxLength={limits.bioMax} />
      <Problem form={form} />
      <Submit form={form}>{strings.settings.save}</Submit>
    </form>
  );
}
