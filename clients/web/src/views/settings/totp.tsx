/** Codes at login: turning them on with an authenticator, the recovery codes, and turning them off. */

import { useRef, useState } from "preact/hooks";
import type { TotpSecret } from "@chatx/sdk";
import { api, me, refreshMe } from "../../state/session";
import { toast } from "../../state/toasts";
import { strings } from "../../strings";
import { Copied, copy } from "../copied";
import { AccountName, Field, Problem, Submit, useForm } from "../form";
import { QrCode } from "../qr_code";

const words = strings.settings.totp;

export function Totp() {
  const [secret, setSecret] = useState<TotpSecret>();
  const [codes, setCodes] = useState<readonly string[]>();
  const on = me.value?.totp === true;
  const told = async (recovery: readonly string[]): Promise<void> => {
    setSecret(undefined);
    setCodes(recovery);
    await refreshMe();
  };
  return (
    <section class="setting" data-testid="totp-setting" data-state={on ? "on" : "off"}>
      <h3>{words.title} {on && <span class="tag accent">{words.on}</span>}</h3>
      {codes !== undefined ? (
        <RecoveryCodes codes={codes} onDone={() => setCodes(undefined)} />
      ) : on ? (
        <TurnedOn onCodes={told} />
      ) : secret === undefined ? (
        <Begin onSecret={setSecret} />
      ) : (
        <Confirm secret={secret} onCodes={told} />
      )}
    </section>
  );
}

function Begin({ onSecret }: { onSecret(secret: TotpSecret): void }) {
  const hasPassword = me.value?.has_password !== false;
  const form = useForm(
    async (data) => onSecret(await api.beginTotp(hasPassword ? String(data.get("password")) : undefined)),
    { invalid_credentials: "password", wrong_password: "password" },
    { invalid_credentials: strings.settings.wrongCurrent, wrong_password: strings.settings.wrongCurrent },
  );
  return (
    <form onSubmit={form.onSubmit} noValidate data-testid="totp-begin">
      <p class="muted">{words.text}</p>
      {hasPassword && <AccountName />}
      {hasPassword && <Field form={form} name="password" label={strings.settings.current} type="password" testid="totp-password" autocomplete="current-password" />}
      <Problem form={form} />
      <Submit form={form}>{words.turnOn}</Submit>
    </form>
  );
}

function Confirm({ secret, onCodes }: { secret: TotpSecret; onCodes(codes: readonly string[]): Promise<void> }) {
  const form = useForm(async (data) => onCodes(await api.confirmTotp(String(data.get("code")).trim())), { wrong_totp: "code" });
  return (
    <form onSubmit={form.onSubmit} noValidate data-testid="totp-confirm">
      <p class="muted">{words.scan}</p>
      <QrCode text={secret.url} label={words.qrCode} />
      <Copied label={words.secret} text={secret.secret} testid="totp-secret" />
      <Field form={form} name="code" label={strings.auth.code} hint={words.codeHint} testid="totp-code" autocomplete="one-time-code" />
      <Problem form={form} />
      <Submit form={form}>{words.confirm}</Submit>
    </form>
  );
}

function RecoveryCodes({ codes, onDone }: { codes: readonly string[]; onDone(): void }) {
  return (
    <div data-testid="recovery-codes">
      <p class="note">{words.recoveryText}</p>
      <ol class="recovery-codes">
        {codes.map((code) => <li key={code}><code>{code}</code></li>)}
      </ol>
      <p class="actions">
        <button type="button" class="button" onClick={() => void copy(codes.join("\n"))}>
          {strings.details.copy}
        </button>
        <a class="button" download="chatx-recovery-codes.txt" href={`data:text/plain,${encodeURIComponent(`${codes.join("\n")}\n`)}`}>{words.download}</a>
        <button type="button" class="button primary" data-testid="codes-kept" onClick={onDone}>{words.kept}</button>
      </p>
    </div>
  );
}

/** Both ways on need a code: who has only come by an open page can do neither. */
function TurnedOn({ onCodes }: { onCodes(codes: readonly string[]): Promise<void> }) {
  const renews = useRef(true);
  const form = useForm(
    async (data) => {
      const totp = String(data.get("totp")).trim();
      if (renews.current) return onCodes(await api.renewRecoveryCodes(totp));
      await api.endTotp(totp);
      await refreshMe();
      toast(words.turnedOff);
    },
    { wrong_totp: "totp" },
  );
  return (
    <form onSubmit={form.onSubmit} noValidate data-testid="totp-change">
      <p class="muted">{words.onText}</p>
      <Field form={form} name="totp" label={strings.auth.code} hint={strings.auth.codeHint} testid="totp-code" autocomplete="one-time-code" />
      <Problem form={form} />
      <p class="actions">
        <button type="submit" class="button" disabled={form.busy} data-testid="renew-codes" onClick={() => (renews.current = true)}>{words.renew}</button>
        <button type="submit" class="button" disabled={form.busy} data-testid="turn-off" onClick={() => (renews.current = false)}>{words.turnOff}</button>
      </p>
    </form>
  );
}
