/** Logging in by somebody else's word: the way to a provider, and what one comes back with. */

import { signal } from "@preact/signals";
import type { Provider } from "@chatx/sdk";

const afterKey = "chatx.after_visit";

/** The code of why the last visit did not end in a session. */
export const visitRefused = signal<string | undefined>(undefined);

/** Goes there. Where one is now, an invite say, one is again afterwards. */
export function visit(provider: Provider): void {
  try {
    sessionStorage.setItem(afterKey, location.hash);
  } catch {
    // Forbidden: one comes back to the rooms.
  }
  location.assign(`/v1/auth/oidc/${encodeURIComponent(provider.id)}?return_to=${encodeURIComponent(location.pathname)}`);
}

/** Whether the page was opened by a provider that has begun a session. What it says in the address is taken out of it. */
export function comeBack(): boolean {
  const said = new URLSearchParams(location.search);
  const refused = said.get("sign_in_refused");
  if (refused === null && !said.has("signed_in")) return false;
  history.replaceState(null, "", location.pathname + (left() ?? location.hash));
  visitRefused.value = refused ?? undefined;
  return refused === null;
}

/** Where one was before the visit; known once. */
function left(): string | undefined {
  try {
    const hash = sessionStorage.getItem(afterKey);
    sessionStorage.removeItem(afterKey);
    return hash ?? undefined;
  } catch {
    return undefined;
  }
}
