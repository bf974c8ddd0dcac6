/** Logging in by somebody else's word: the way to a provider, and what one comes back with. */

import { signal } from "@preact/signals";
import type { Provider } from "@chatx/sdk";
import { deviceName } from "./device";

const afterKey = "chatx.after_visit";

/** The code of why the last visit did not end well. */
export const visitRefused = signal<string | undefined>(undefined);

/** Where a visit ended that ended well. */
export type Visited = { signedIn: true } | { linked: true } | undefined;

/** Goes there to log in. Where one is now, an invite say, one is again afterwards. */
export function visit(provider: Provider): void {
  try {
    sessionStorage.setItem(afterKey, location.hash);
  } catch {
    // Forbidden: one comes back to the rooms.
  }
  const query = new URLSearchParams({ return_to: location.pathname, device: deviceName() });
  location.assign(`/v1/auth/oidc/${encodeURIComponent(provider.id)}?${query}`);
}

/** The path that brings one back to where one is now. */
export function here(): string {
  return location.pathname + location.hash;
}

/** Whether the page was opened by a provider's answer, and which. What that says in the address is taken out of it. */
export function comeBack(): Visited {
  const said = new URLSearchParams(location.search);
  const refused = said.get("sign_in_refused");
  const visited: Visited = said.has("signed_in") ? { signedIn: true } : said.has("linked") ? { linked: true } : undefined;
  if (refused === null && visited === undefined) return undefined;
  history.replaceState(null, "", location.pathname + (location.hash || (left() ?? "")));
  // Who listens to the address hears of it as of any other change.
  window.dispatchEvent(new HashChangeEvent("hashchange"));
  visitRefused.value = refused ?? undefined;
  return refused === null ? visited : undefined;
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
