/** What mails are about: a forgotten password, and whether an address is one's own. */

import { useEffect, useState } from "preact/hooks";
import { asRefusal } from "@chatx/sdk";
import { paths } from "../state/router";
import { api, me, refreshMe } from "../state/session";
import { inBackground } from "../state/toasts";
import { refusalText, strings } from "../strings";
import { AccountName, Field, Problem, Submit, useForm } from "./form";

export function Forgot() {
  const [sentTo, setSentTo] = useState<string>();
  const form = useForm(async (data) => {
    const login = String(data.get("login")).trim();
    await api.requestReset(login);
    setSentTo(login);
  });
  return (
    <form onSubmit={form.onSubmit} data-testid="forgot-form" noValidate>
      <h1>{strings.auth.forgotTitle}</h1>
      {sentTo === undefined ? (
        <>
          <p class="muted">{strings.auth.forgotText}</p>
          <Field form={form} name="login" label={strings.auth.login} testid="username" autocomplete="username" autofocus />
          <Problem form={form} />
          <Submit form={form}>{strings.auth.forgotSend}</Submit>
        </>
      ) : (
        <p class="note" role="status">{strings.auth.forgotSent(sentTo)}</p>
      )}
      <ToLogIn />
    </form>
  );
}

export function Reset({ token }: { token: string }) {
  const [done, setDone] = useState(false);
  const form = useForm(
    async (data) => {
      await api.resetPassword(token, String(data.get("new")));
      setDone(true);
    },
    { validation_failed: "new" },
  );
  return (
    <form onSubmit={form.onSubmit} data-testid="reset-form" noValidate>
      <h1>{strings.auth.resetTitle}</h1>
      {done ? (
        <>
          <p class="note" role="status">{strings.auth.resetDone}</p>
          <ToLogIn />
        </>
      ) : (
        <>
          <p class="muted">{strings.auth.resetText}</p>
          <AccountName />
          <Field form={form} name="new" label={strings.settings.next} hint={strings.auth.passwordHint} type="password"
            testid="new-password" autocomplete="new-password" autofocus />
          <Problem form={form} />
          <Submit form={form}>{strings.auth.resetButton}</Submit>
        </>
      )}
    </form>
  );
}

/** Opening the link is enough: it does nothing but say that one reads the mail of this address. */
export function Verify({ token }: { token: string }) {
  const [end, setEnd] = useState<{ problem?: string }>();
  useEffect(() => {
    api.verifyEmail(token).then(
      () => {
        setEnd({});
        if (me.value !== undefined) void inBackground(refreshMe);
      },
      (thrown: unknown) => setEnd({ problem: refusalText(asRefusal(thrown)) }),
    );
  }, [token]);
  return (
    <div class="auth-end" data-testid="verify">
      <h1>{strings.auth.verifyTitle}</h1>
      <p class={end?.problem === undefined ? "note" : "problem"} role="status">
        {end === undefined ? strings.auth.verifying : (end.problem ?? strings.auth.verified)}
      </p>
      {end !== undefined && <p><a class="button" href={paths.rooms}>{me.value === undefined ? strings.auth.logIn : strings.common.goOn}</a></p>}
    </div>
  );
}

function ToLogIn() {
  return (
    <p class="auth-other">
      <a href={paths.logIn}>{strings.auth.logIn}</a>
    </p>
  );
}
