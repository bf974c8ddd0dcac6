/** What somebody sees who is not logged in: logging in, registering, and the links of mails. */

import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import { limits } from "@chatx/sdk";
import { paths, route } from "../state/router";
import { register } from "../state/session";
import { strings } from "../strings";
import { Field, Problem, Submit, useForm } from "./form";
import { Mark } from "./icons";
import { LogIn } from "./log_in";
import { Forgot, Reset, Verify } from "./mail_links";
import { Providers } from "./providers";

export function Auth() {
  const at = route.value;
  switch (at.page) {
    case "register":
      return <Frame key="register" title={strings.auth.register}><Register /></Frame>;
    case "forgot":
      return <Frame key="forgot" title={strings.auth.forgotTitle}><Forgot /></Frame>;
    case "reset":
      return <Frame key="reset" title={strings.auth.resetTitle}><Reset token={at.token} /></Frame>;
    case "verify":
      return <Frame key="verify" title={strings.auth.verifyTitle}><Verify token={at.token} /></Frame>;
    default:
      return <Frame key="log-in" title={strings.auth.logIn}><LogIn /></Frame>;
  }
}

function Frame({ title, children }: { title: string; children: ComponentChildren }) {
  useEffect(() => {
    document.title = `${title} · ${strings.name}`;
  }, [title]);
  return (
    <div class="auth">
      <section class="auth-promise" aria-hidden="true">
        <Thread />
        <div>
          <p class="auth-claim">{strings.auth.promise}</p>
          <ol>
            {strings.auth.promises.map((promise) => (
              <li key={promise}>{promise}</li>
            ))}
          </ol>
        </div>
      </section>
      <main class="auth-form">
        <div class="brand">
          <Mark />
          <span>{strings.name}</span>
        </div>
        {children}
      </main>
    </div>
  );
}

function Register() {
  const form = useForm(
    (data) => {
      const displayName = String(data.get("display_name")).trim();
      return register({
        username: String(data.get("username")).trim(),
        email: String(data.get("email")).trim(),
        password: String(data.get("password")),
        ...(displayName === "" ? {} : { display_name: displayName }),
      });
    },
    { username_taken: "username", email_taken: "email" },
  );
  return (
    <form onSubmit={form.onSubmit} data-testid="register-form" noValidate>
      <h1>{strings.auth.registerTitle}</h1>
      <Field form={form} name="username" label={strings.auth.username} hint={strings.auth.usernameHint} testid="username"
        autocomplete="username" maxLength={limits.usernameMax} autofocus />
      <Field form={form} name="display_name" label={strings.auth.displayName} optional testid="display-name"
        autocomplete="name" maxLength={limits.displayNameMax} />
      <Field form={form} name="email" label={strings.auth.email} type="email" testid="email" autocomplete="email" />
      <Field form={form} name="password" label={strings.auth.password} hint={strings.auth.passwordHint} type="password"
        testid="password" autocomplete="new-password" />
      <Problem form={form} />
      <Submit form={form}>{strings.auth.register}</Submit>
      <Providers />
      <p class="auth-other">
        {strings.auth.toLogIn} <a href={paths.logIn}>{strings.auth.logIn}</a>
      </p>
    </form>
  );
}

/** A log, drawn: every line has its place, and the one that was late stands where it belongs. */
function Thread() {
  const widths = [150, 96, 188, 124, 210, 72, 164, 140, 110];
  return (
    <svg class="thread" viewBox="0 0 300 330">
      {widths.map((width, index) => (
        <g key={index} class={index === 5 ? "late" : undefined}>
          <text x="22" y={index * 36 + 25}>{index + 1}</text>
          <circle cx="48" cy={index * 36 + 20} r="4" />
          <rect x="68" y={index * 36 + 12} width={width} height="16" rx="8" />
        </g>
      ))}
    </svg>
  );
}
