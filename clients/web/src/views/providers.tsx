/** The buttons of who else can say who somebody is; nothing where there is nobody. */

import { useEffect, useState } from "preact/hooks";
import type { Provider } from "@chatx/sdk";
import { visit, visitRefused } from "../state/providers";
import { api } from "../state/session";
import { codeText, strings } from "../strings";

export function Providers() {
  const [providers, setProviders] = useState<readonly Provider[]>([]);
  // Who cannot be asked is not offered.
  useEffect(() => void api.providers().then(setProviders, () => undefined), []);
  if (providers.length === 0 && visitRefused.value === undefined) return null;
  return (
    <div class="providers" data-testid="providers">
      <VisitRefused />
      {providers.map((provider) => (
        <button key={provider.id} type="button" class="button" data-testid="provider" onClick={() => visit(provider)}>
          {strings.auth.logInBy(provider.name)}
        </button>
      ))}
    </div>
  );
}

/** Why one came back as one had left. */
export function VisitRefused() {
  const refused = visitRefused.value;
  if (refused === undefined) return null;
  return <p class="problem" role="alert" data-testid="visit-refused">{strings.auth.visitRefused[refused] ?? codeText(refused)}</p>;
}
