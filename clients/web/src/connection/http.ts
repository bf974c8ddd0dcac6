/**
 * One HTTP call with everything that a cookie session needs around it: the CSRF token, a silent refresh when the
 * access token has run out, and refusals as one type. Not responsible for what the calls mean; see `api.ts`.
 */

import type { ErrorBody, SignedIn } from "../protocol";
import type { HttpAnswer, Platform } from "./platform";
import { Refusal } from "./refusal";

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

const csrfKey = "chatx.csrf";
const csrfHeader = "X-CSRF-Token";

export class Http {
  /** Called once the session is known to be over. */
  onSignedOut: () => void = () => {};
  /** Called after each new access token, with its lifetime in seconds. */
  onRenewed: (expiresIn: number) => void = () => {};
  private refreshing: Promise<boolean> | undefined;

  constructor(private readonly platform: Platform) {}

  /** Makes the call as the signed-in user. */
  async call<T>(method: Method, path: string, body?: unknown): Promise<T> {
    let answer = await this.attempt(method, path, body);
    if (answer.status === 401) {
      const refused = await refusal(answer);
      if (refused.code !== "unauthenticated" || !(await this.refresh())) throw refused;
      answer = await this.attempt(method, path, body);
    }
    if (answer.status === 403 && method !== "GET") {
      const refused = await refusal(answer);
      if (refused.code !== "csrf") throw refused;
      this.forgetCsrf();
      answer = await this.attempt(method, path, body);
    }
    return read<T>(answer);
  }

  /** Makes a call that needs no session: to register or log in. */
  async open<T>(path: string, body: unknown): Promise<T> {
    this.forgetCsrf();
    return read<T>(await this.send("POST", path, body, undefined));
  }

  /**
   * Gets a new access token by the refresh cookie. Callers at the same time share one attempt, for the token is
   * used up by it. False when the session is over; throws when that could not be learnt.
   */
  refresh(): Promise<boolean> {
    this.refreshing ??= this.refreshOnce().finally(() => {
      this.refreshing = undefined;
    });
    return this.refreshing;
  }

  forgetCsrf(): void {
    this.platform.storage.remove(csrfKey);
  }

  private async refreshOnce(): Promise<boolean> {
    const path = "/v1/auth/refresh?cookie=true";
    let answer = await this.send("POST", path, {}, await this.csrf());
    if (answer.status === 403) {
      this.forgetCsrf();
      answer = await this.send("POST", path, {}, await this.csrf());
    }
    if (answer.status === 401 || answer.status === 403 || answer.status === 422) {
      this.onSignedOut();
      return false;
    }
    const signedIn = await read<SignedIn>(answer);
    this.onRenewed(signedIn.expires_in);
    return true;
  }

  private async attempt(method: Method, path: string, body: unknown): Promise<HttpAnswer> {
    return this.send(method, path, body, method === "GET" ? undefined : await this.csrf());
  }

  /**
   * The token for state-changing requests. It is bound to the session and outlives an access token, so it is kept;
   * the server also gives it to a page that woke with an expired access token, for its refresh.
   */
  private async csrf(): Promise<string | undefined> {
    const kept = this.platform.storage.get(csrfKey);
    if (kept !== null) return kept;
    const answer = await this.send("GET", "/v1/auth/csrf", undefined, undefined);
    if (answer.status !== 200) return undefined;
    const { csrf_token } = await read<{ csrf_token: string }>(answer);
    this.platform.storage.set(csrfKey, csrf_token);
    return csrf_token;
  }

  private async send(method: Method, path: string, body: unknown, csrf: string | undefined): Promise<HttpAnswer> {
    const headers: Record<string, string> = { Accept: "application/json" };
    if (body !== undefined) headers["Content-Type"] = "application/json";
    if (csrf !== undefined) headers[csrfHeader] = csrf;
    try {
      return await this.platform.request(path, {
        method,
        headers,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    } catch {
      throw new Refusal({ code: "offline", message: "no answer from the server" });
    }
  }
}

async function read<T>(answer: HttpAnswer): Promise<T> {
  if (answer.status < 200 || answer.status > 299) throw await refusal(answer);
  const text = await answer.text();
  return (text === "" ? undefined : JSON.parse(text)) as T;
}

async function refusal(answer: HttpAnswer): Promise<Refusal> {
  const seconds = Number(answer.headers.get("Retry-After") ?? Number.NaN);
  const retryAfterMs = Number.isFinite(seconds) ? seconds * 1000 : undefined;
  try {
    const { error } = JSON.parse(await answer.text()) as { error: ErrorBody };
    return new Refusal(error, retryAfterMs);
  } catch {
    const code = answer.status === 401 ? "unauthenticated" : answer.status >= 500 ? "unavailable" : "unexpected";
    return new Refusal({ code, message: `the server answered ${answer.status}` }, retryAfterMs);
  }
}
