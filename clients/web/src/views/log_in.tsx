/** Logging in: by a password, then by a code where the account asks for one. */

import { useState } from "preact/hooks";
import { asRefusal } from "@chatx/sdk";
import { paths } from "../state/router";
import { endedBy, logIn } from "../state/session";
import { strings } from "../strings";
import { Field, Problem, Submit, useForm } from "./form";
import { Providers } from "./providers";

interface Credentials {
  login: string;
  password: string;
}

export function LogIn() {
  const [known, setKnown] = useState<Credentials>();
  return known === undefined ? <ByPassword onAsked={setKnown} /> : <ByCode credentials={known} onBack={() => setKnown(undefined)} />;
}

/** `onAsked` is told of the right password of an account that asks for more. */
function ByPassword({ onAsked }: { onAsked(credentials: Credentials): void }) {
  const form = useForm(async (data) => {
    const credentials = { login: String(data.get("login")).trim(), password: String(data.get("password")) };
    try {
      await logIn(credentials.login, credentials.password);
    } catch (thrown) {
      if (asRefusal(thrown).code !== "totp_required") throw thrown;
      onAsked(credentials);
    }
  });
  return (
    <form onSubmit={form.onSubmit} data-testid="login-form" noValidate>
      <h1>{strings.auth.logInTitle}</h1>
      {endedBy.value === "expired" && <p class="note">{strings.auth.expired}</p>}
      <Field form={form} name="login" label={strings.auth.login} testid="username" autocomplete="username" autofocus />
      <Field form={form} name="password" label={strings.auth.password} type="password" testid="password" autocomplete="current-password" />
      <p class="auth-forgot"><a href={paths.forgot} data-testid="forgot">{strings.auth.forgot}</a></p>
      <Problem form={form} />
      <Submit form={form}>{strings.auth.logIn}</Submit>
      <Providers />
      <p class="auth-other">
        {strings.auth.toRegister} <a href={paths.register}>{strings.auth.register}</a>
      </p>
    </form>
  );
}

function ByCode({ credentials, onBack }: { credentials: Credentials; onBack(): void }) {
  const form = useForm(
    (data) => logIn(credentials.login, credentials.password, String(data.get("totp")).trim()),
    { wrong_totp: "totp", totp_required: "totp" },
  );
  return (
    <form onSubmit={form.onSubmit} data-testid="code-form" noValidate>
      <h1>{strings.auth.codeTitle}</h1>
      <Field form={form} name="totp" label={strings.auth.code} hint={strings.auth.codeHint} testid="totp" autocomplete="one-time-code" autofocus />
      <Problem form={form} />
      <Submit form={form}>{strings.auth.logIn}</Submit>
      <p class="auth-other">
        <button type="button" class="link" onClick={onBack}>{strings.common.back}</button>
      </p>
    </form>
  );
}
