/**
 * Who is signed in: it keeps the session, renews it before it runs out, and makes calls as its user. Of several tabs
 * over one storage one renews, and the others take what it got. Not responsible for what the calls mean; see `api.ts`.
 */

import { Emitter } from "./emitter.ts";
import { Http, type Method, read, readBytes, refusal } from "./http.ts";
import type { Channel, FileSource, HttpAnswer, Platform, UploadOptions } from "./platform.ts";
import type { Credentials, Id, Registration, SignedIn, User } from "./protocol.ts";
import { asRefusal } from "./refusal.ts";

/** `cookie`: the tokens are `HttpOnly` cookies, unseen by the program. `bearer`: the program keeps them. */
export type TokenPlace = "cookie" | "bearer";

export interface SessionEvents {
  /** Somebody signed in, here or in another tab. */
  began(user: User): void;
  /** More, or something else, is known of the user. */
  learnt(user: User): void;
  /** `expired`: the server no longer takes the session. */
  ended(why: "logged-out" | "expired"): void;
  /** There is a new access token; the program knows it unless it is a cookie. */
  renewed(token: string | undefined): void;
}

/** What is kept of a session. */
interface Kept {
  user: User;
  /** When the access token runs out, in milliseconds since the epoch. */
  expires_at: number;
  /** Another one after each renewal: tells a tab that another one was faster. */
  renewal: string;
  access_token?: string;
  refresh_token?: string;
  csrf_token?: string;
}

const key = "chatx.session";
const csrfHeader = "X-CSRF-Token";
/** A token is renewed this long before it runs out, or at half its life if that is later. */
const renewAheadMs = 60_000;
const renewAgainMs = 5_000;

export class Session {
  readonly events = new Emitter<SessionEvents>();
  private kept: Kept | undefined;
  /** For whom `began` was told, and `ended` not since. */
  private told: Id | undefined;
  /** Whether the session was taken up without the server. */
  private isUnasked = false;
  private isClosed = false;
  private readonly http: Http;
  private readonly channel: Channel;
  private renewing: Promise<boolean> | undefined;
  private cancelRenewal: () => void = () => {};

  constructor(private readonly platform: Platform, base: string, private readonly place: TokenPlace) {
    this.http = new Http(platform, base);
    this.channel = platform.channel(key, () => void this.followOthers());
  }

  /** Who is signed in, as last told by the server. */
  get user(): User | undefined {
    return this.kept?.user;
  }

  /** The access token, where the program may know it. */
  get token(): string | undefined {
    return this.kept?.access_token;
  }

  /**
   * Takes up the session that is kept, if there is one and the server still takes it. A server that cannot be asked
   * says nothing against it: what is written meanwhile waits, and the server is asked by the next call that reaches it.
   * A token that is still good is not renewed: a program that ends in the middle of that would lose the new one.
   */
  async restore(): Promise<User | undefined> {
    if (this.told !== undefined) return this.user;
    const kept = await this.load();
    if (kept === undefined) return undefined;
    this.kept = kept;
    try {
      if (kept.expires_at - this.platform.now() > renewAheadMs) this.renewInTime();
      else if (!(await this.renew())) return undefined;
      await this.refreshUser();
    } catch (thrown) {
      const refused = asRefusal(thrown);
      if (!refused.passing) throw refused;
      this.isUnasked = true;
      this.renewAfter(renewAgainMs);
    }
    if (this.kept !== undefined) this.tell(this.kept.user);
    return this.user;
  }

  /** Asks who one is, if the session was taken up while the server was away. */
  async ask(): Promise<void> {
    if (this.isUnasked) await this.refreshUser();
  }

  register(fields: Registration): Promise<User> {
    return this.begin("/v1/auth/register", fields);
  }

  logIn(credentials: Credentials): Promise<User> {
    return this.begin("/v1/auth/login", credentials);
  }

  /** Takes up the session whose cookies a visit to a provider has left in this browser. */
  async enter(): Promise<User> {
    await this.forgetCsrf();
    const answer = await this.http.send("POST", `/v1/auth/refresh${this.query()}`, {}, await this.csrfHeaders());
    return this.started(await read<SignedIn>(answer));
  }

  /** Ends the session on the server too. */
  async logOut(): Promise<void> {
    await this.call("POST", "/v1/auth/logout");
    await this.end("logged-out");
  }

  /** Closes the account, which ends every session of it. */
  async erase(password?: string): Promise<void> {
    await this.call("DELETE", "/v1/users/me", password === undefined ? {} : { password });
    await this.end("logged-out");
  }

  /** What is known of the user has changed. */
  async learn(user: User): Promise<User> {
    if (this.kept !== undefined) await this.keep({ ...this.kept, user });
    this.events.emit("learnt", user);
    return user;
  }

  /** Makes a call as the user, with a new token if the old one has run out. */
  async call<T>(method: Method, path: string, body?: unknown): Promise<T> {
    return read<T>(await this.asUser(method, (headers) => this.http.send(method, path, body, headers)));
  }

  /** Sends a file as the user. */
  async upload<T>(path: string, file: FileSource, how: UploadOptions): Promise<T> {
    return read<T>(await this.asUser("POST", (headers) => this.http.upload(path, file, how, headers)));
  }

  /** Reads what is no JSON as the user. */
  async download(path: string): Promise<ArrayBuffer> {
    return readBytes(await this.asUser("GET", (headers) => this.http.send("GET", path, undefined, headers)));
  }

  /**
   * Gets a new access token. Callers at the same time share one attempt, for the refresh token is used up by it.
   * False when the session is over; throws when that could not be learnt.
   */
  renew(): Promise<boolean> {
    this.renewing ??= this.platform
      .alone(`${key}.renewal`, () => this.renewUnlessDone())
      .finally(() => (this.renewing = undefined));
    return this.renewing;
  }

  /** Forgets nothing that is stored: the next one restores it. */
  close(): void {
    this.isClosed = true;
    this.cancelRenewal();
    this.channel.close();
  }

  private async begin(path: string, body: unknown): Promise<User> {
    return this.started(await read<SignedIn>(await this.http.send("POST", path + this.query(), body)));
  }

  private async started(signedIn: SignedIn): Promise<User> {
    await this.take(signedIn);
    this.channel.tell("began");
    this.tell(signedIn.user);
    return signedIn.user;
  }

  private tell(user: User): void {
    if (this.told === user.id) return;
    this.told = user.id;
    this.events.emit("began", user);
  }

  private async end(why: "logged-out" | "expired"): Promise<void> {
    if (this.kept === undefined) return;
    this.forget();
    await this.platform.storage.remove(key);
    this.channel.tell("ended");
    this.events.emit("ended", why);
  }

  private forget(): void {
    this.cancelRenewal();
    this.kept = undefined;
    this.told = undefined;
  }

  private async renewUnlessDone(): Promise<boolean> {
    const mine = this.kept;
    if (mine === undefined) return false;
    const stored = await this.load();
    if (stored !== undefined && stored.renewal !== mine.renewal && stored.user.id === mine.user.id) {
      this.adopt(stored);
      return true;
    }
    let answer = await this.askForNew(mine);
    if (answer.status === 403 && this.place === "cookie") {
      await this.forgetCsrf();
      answer = await this.askForNew(mine);
    }
    if (answer.status === 401 || answer.status === 403 || answer.status === 422) {
      await this.end("expired");
      return false;
    }
    await this.take(await read<SignedIn>(answer));
    this.channel.tell("renewed");
    this.events.emit("renewed", this.token);
    return true;
  }

  private async askForNew(mine: Kept): Promise<HttpAnswer> {
    const body = this.place === "bearer" ? { refresh_token: mine.refresh_token } : {};
    return this.http.send("POST", `/v1/auth/refresh${this.query()}`, body, await this.csrfHeaders());
  }

  private async take(signedIn: SignedIn): Promise<void> {
    const { user, access_token, refresh_token } = signedIn;
    const sameUser = this.kept?.user.id === user.id ? this.kept : undefined;
    await this.keep({
      user,
      expires_at: this.platform.now() + signedIn.expires_in * 1000,
      renewal: this.platform.uuid(),
      ...(access_token === undefined ? {} : { access_token }),
      ...(refresh_token === undefined ? {} : { refresh_token }),
      ...(sameUser?.csrf_token === undefined ? {} : { csrf_token: sameUser.csrf_token }),
    });
    this.renewInTime();
  }

  /** Another tab may have renewed the session, ended it, or signed in as somebody else. */
  private async followOthers(): Promise<void> {
    const stored = await this.load();
    const mine = this.kept;
    if (stored === undefined) {
      if (mine === undefined) return;
      this.forget();
      this.events.emit("ended", "logged-out");
    } else if (mine === undefined || mine.user.id !== stored.user.id) {
      this.kept = stored;
      this.renewInTime();
      this.tell(stored.user);
    } else if (mine.renewal !== stored.renewal) this.adopt(stored);
  }

  private async refreshUser(): Promise<void> {
    await this.learn(await this.call<User>("GET", "/v1/users/me"));
    this.isUnasked = false;
  }

  private adopt(stored: Kept): void {
    this.kept = stored;
    this.renewInTime();
    this.events.emit("renewed", this.token);
  }

  private renewInTime(): void {
    if (this.kept === undefined) return;
    const left = this.kept.expires_at - this.platform.now();
    this.renewAfter(Math.max(left / 2, left - renewAheadMs, 0));
  }

  private renewAfter(ms: number): void {
    this.cancelRenewal();
    if (this.isClosed) return;
    this.cancelRenewal = this.platform.after(ms, () => {
      // No answer now may be one soon; and whoever makes a call with an expired token renews it too.
      this.renew().catch(() => this.kept !== undefined && this.renewAfter(renewAgainMs));
    });
  }

  private async asUser(method: Method, send: (headers: Record<string, string>) => Promise<HttpAnswer>): Promise<HttpAnswer> {
    let answer = await send(await this.headers(method));
    if (answer.status === 401) {
      const refused = await refusal(answer);
      if (refused.code !== "unauthenticated" || this.kept === undefined || !(await this.renew())) throw refused;
      answer = await send(await this.headers(method));
    }
    if (answer.status === 403 && this.place === "cookie" && method !== "GET") {
      const refused = await refusal(answer);
      if (refused.code !== "csrf") throw refused;
      await this.forgetCsrf();
      answer = await send(await this.headers(method, true));
    }
    return answer;
  }

  private async headers(method: Method, hasCookie = this.kept !== undefined): Promise<Record<string, string>> {
    if (this.place === "bearer") return this.bearerHeaders();
    return method === "GET" ? {} : this.csrfHeaders(hasCookie);
  }

  private bearerHeaders(): Record<string, string> {
    return this.token === undefined ? {} : { Authorization: `Bearer ${this.token}` };
  }

  /**
   * The token for requests that change something and come with a cookie. It is bound to the session and outlives an
   * access token, so it is kept; the server also gives it to a page that woke with an expired access token. Without a
   * session there is none to be had.
   */
  private async csrfHeaders(hasCookie = true): Promise<Record<string, string>> {
    if (this.place === "bearer" || !hasCookie) return {};
    if (this.kept?.csrf_token !== undefined) return { [csrfHeader]: this.kept.csrf_token };
    const answer = await this.http.send("GET", "/v1/auth/csrf", undefined);
    if (answer.status !== 200) return {};
    const { csrf_token } = await read<{ csrf_token: string }>(answer);
    if (this.kept !== undefined) await this.keep({ ...this.kept, csrf_token });
    return { [csrfHeader]: csrf_token };
  }

  private async forgetCsrf(): Promise<void> {
    if (this.kept === undefined) return;
    const { csrf_token: _, ...rest } = this.kept;
    await this.keep(rest);
  }

  private query(): string {
    return this.place === "cookie" ? "?cookie=true" : "";
  }

  private async keep(kept: Kept): Promise<void> {
    this.kept = kept;
    await this.platform.storage.set(key, JSON.stringify(kept));
  }

  private async load(): Promise<Kept | undefined> {
    const text = await this.platform.storage.get(key);
    if (text === undefined) return undefined;
    try {
      const kept = JSON.parse(text) as Partial<Kept>;
      const whole = typeof kept.user?.id === "string" && typeof kept.expires_at === "number";
      return whole && typeof kept.renewal === "string" ? (kept as Kept) : undefined;
    } catch {
      return undefined;
    }
  }
}
