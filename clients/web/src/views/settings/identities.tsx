/** Accounts elsewhere that one logs in by: which there are, adding one, taking one away. */

import { useState } from "preact/hooks";
import type { Identity, Provider } from "@chatx/sdk";
import { here } from "../../state/providers";
import { api, me } from "../../state/session";
import { moment } from "../../state/times";
import { attempt } from "../../state/toasts";
import { strings } from "../../strings";
import { AccountName, Field, Problem, Submit, useForm } from "../form";
import { Loaded, useAnswer } from "../loaded";
import { VisitRefused } from "../providers";

const words = strings.settings.identities;

export function Identities() {
  const answer = useAnswer(async () => ({ identities: await api.identities(), providers: await api.providers() }));
  const [adding, setAdding] = useState<Provider>();
  const known = answer.value;
  if (known !== undefined && known.identities.length === 0 && known.providers.length === 0) return null;
  return (
    <section class="setting" data-testid="identities">
      <h3>{words.title}</h3>
      <p class="muted">{words.text}</p>
      <VisitRefused />
      <Loaded of={answer}>
        {({ identities, providers }) => (
          <>
            <ul class="rows">
              {identities.map((identity) => (
                <Row key={identity.id} identity={identity} onGone={() => void answer.reload()} />
              ))}
            </ul>
            {adding !== undefined ? (
              <Add provider={adding} />
            ) : (
              <p class="actions">
                {providers.map((provider) => (
                  <button key={provider.id} type="button" class="button" data-testid="add-identity" onClick={() => setAdding(provider)}>
                    {words.add(provider.name)}
                  </button>
                ))}
              </p>
            )}
          </>
        )}
      </Loaded>
    </section>
  );
}

function Row({ identity, onGone }: { identity: Identity; onGone(): void }) {
  const remove = () => void attempt(() => api.unlinkIdentity(identity.id)).then(onGone);
  return (
    <li class="row" data-testid="identity">
      <div class="row-text">
        <strong>{identity.provider?.name ?? identity.issuer}</strong>
        <p class="muted">
          {identity.label} · {words.used(moment(identity.used_at))}
        </p>
      </div>
      <button type="button" class="link" data-testid="remove-identity" onClick={remove}>{words.remove}</button>
    </li>
  );
}

/** Whoever found this page open must not be able to add themselves. */
function Add({ provider }: { provider: Provider }) {
  const hasPassword = me.value?.has_password !== false;
  const form = useForm(
    async (data) => {
      const password = hasPassword ? String(data.get("password")) : undefined;
      location.assign(await api.linkIdentity(provider.id, password, here()));
    },
    hasPassword ? { invalid_credentials: "password" } : {},
    { invalid_credentials: hasPassword ? strings.settings.wrongCurrent : strings.settings.comeAgain },
  );
  return (
    <form onSubmit={form.onSubmit} noValidate data-testid="identity-form">
      {hasPassword && <AccountName />}
      {hasPassword && <Field form={form} name="password" label={strings.settings.current} type="password" testid="identity-password" autocomplete="current-password" autofocus />}
      <Problem form={form} />
      <Submit form={form}>{strings.auth.logInBy(provider.name)}</Submit>
    </form>
  );
}
