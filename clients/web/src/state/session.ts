/** Who is signed in, and how that begins and ends. What they then see is `chat.ts`. */

import { signal } from "@preact/signals";
import { browser } from "../browser";
import { Api } from "../connection/api";
import { Http } from "../connection/http";
import { asRefusal } from "../connection/refusal";
import type { SignedIn, User } from "../protocol";

export type Phase = "starting" | "unreachable" | "signed-out" | "signed-in";

export const phase = signal<Phase>("starting");
export const me = signal<User | undefined>(undefined);
/** Why the log-in page is shown to someone who did not ask for it. */
export const endedBy = signal<"expired" | undefined>(undefined);

const http = new Http(browser);
export const api = new Api(http);

/** Cookies cannot be seen from here; this says whether it is worth asking with them, and whose they are. */
const signedInKey = "chatx.signed_in";
/** When the access token runs out, in milliseconds since the epoch, so that a reload knows it too. */
const expiresKey = "chatx.expires_at";
/** A token is renewed this long before it runs out. */
const renewAheadMs = 60_000;
const startAgainMs = 3_000;

let cancelRenewal: () => void = () => {};
/** Told after each renewal, so that the socket moves to the new token in time. */
let renewed: () => void = () => {};
export function onRenewed(action: () => void): void {
  renewed = action;
}

http.onRenewed = (expiresIn) => {
  renewBefore(expiresIn);
  renewed();
};
http.onSignedOut = () => {
  if (phase.value !== "signed-out") signedOut("expired");
};

/**
 * Finds out whether the session of this browser still stands. A token that is still good is not renewed: a page that
 * is closed in the middle of that would lose the new one.
 */
export async function start(): Promise<void> {
  if (browser.storage.get(signedInKey) === null) return signedOut();
  try {
    const left = Number(browser.storage.get(expiresKey)) - browser.now();
    if (left > renewAheadMs) renewBefore(left / 1000);
    else if (!(await http.refresh())) return;
    me.value = await api.me();
    phase.value = "signed-in";
  } catch (thrown) {
    if (asRefusal(thrown).code === "unauthenticated") return signedOut("expired");
    phase.value = "unreachable";
    browser.after(startAgainMs, () => void start());
  }
}

export async function logIn(login: string, password: string): Promise<void> {
  signedIn(await api.logIn(login, password, deviceName()));
}

export async function register(fields: Parameters<Api["register"]>[0]): Promise<void> {
  signedIn(await api.register(fields));
}

export async function endSession(): Promise<void> {
  await api.logOut();
  signedOut();
}

/** Renews the token now; false when the session is over. */
export function renew(): Promise<boolean> {
  return http.refresh();
}

/** The cookies are those of the whole browser: when another tab logs out, or in as somebody else, this one follows. */
window.addEventListener("storage", (event) => {
  if (event.key === signedInKey && me.value !== undefined && event.newValue !== me.value.id) location.reload();
});

function signedIn(answer: SignedIn): void {
  browser.storage.set(signedInKey, answer.user.id);
  renewBefore(answer.expires_in);
  me.value = answer.user;
  endedBy.value = undefined;
  phase.value = "signed-in";
}

function signedOut(why?: "expired"): void {
  cancelRenewal();
  browser.storage.remove(signedInKey);
  browser.storage.remove(expiresKey);
  http.forgetCsrf();
  endedBy.value = why;
  me.value = undefined;
  phase.value = "signed-out";
}

function renewBefore(expiresIn: number): void {
  cancelRenewal();
  browser.storage.set(expiresKey, String(browser.now() + expiresIn * 1000));
  const ms = Math.max(expiresIn * 500, expiresIn * 1000 - renewAheadMs);
  cancelRenewal = browser.after(ms, () => {
    // An answer that does not come is no harm here: the next call finds the token expired and renews it.
    http.refresh().catch(() => undefined);
  });
}

/** How this browser is named in the list of sessions. */
function deviceName(): string {
  const agent = navigator.userAgent;
  const name = /Edg\//.test(agent) ? "Edge" : /Firefox\//.test(agent) ? "Firefox" : /Chrome\//.test(agent) ? "Chrome" : "Safari";
  const system = /Android/.test(agent) ? "Android" : /iPhone|iPad/.test(agent) ? "iOS" : /Mac OS/.test(agent) ? "macOS"
    : /Windows/.test(agent) ? "Windows" : /Linux/.test(agent) ? "Linux" : undefined;
  return system === undefined ? name : `${name}, ${system}`;
}
