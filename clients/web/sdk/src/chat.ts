/** A client of one server: who is signed in, what may be asked, and what goes on. This is what a program holds. */

import { Api } from "./api.ts";
import { Emitter } from "./emitter.ts";
import { Live, type LiveEvents, type OutgoingMessage, type Sending } from "./live/live.ts";
import type { FollowOptions } from "./live/subscriptions.ts";
import type { FileSource, Platform, UploadOptions } from "./platform.ts";
import type { Credentials, FileRef, Id, Message, MessageQuery, Registration, User } from "./protocol.ts";
import { Refusal } from "./refusal.ts";
import { Session, type SessionEvents, type TokenPlace } from "./session.ts";
import { standardPlatform, standardStorage } from "./standard.ts";
import type { Storage } from "./storage.ts";

export interface ChatOptions {
  /** Where the server is, such as `https://chat.example.com`. In a browser, the page's own origin unless told. */
  url?: string | { readonly href: string };
  /** `cookie` (for a page on the server's own origin) or `bearer`; by default `cookie` where there is no `url`. */
  tokens?: TokenPlace;
  /** Where what is not sent yet, and the session, are kept. IndexedDB where there is one; else memory. */
  storage?: Storage;
  /** Another world than that of browsers and Node; its storage is used unless `storage` is given. */
  platform?: Platform;
}

export interface ChatEvents extends LiveEvents, SessionEvents {}

export class ChatX {
  readonly session: Session;
  /** Every route of the HTTP interface. */
  readonly api: Api;
  private readonly emitter = new Emitter<ChatEvents>();
  private current: Live | undefined;

  private constructor(private readonly platform: Platform, private readonly base: string, tokens: TokenPlace) {
    this.session = new Session(platform, base, tokens);
    this.api = new Api(this.session);
    this.session.events.on("began", (user) => this.began(user));
    this.session.events.on("learnt", (user) => this.emitter.emit("learnt", user));
    this.session.events.on("ended", (why) => {
      this.stop();
      this.emitter.emit("ended", why);
    });
    this.session.events.on("renewed", (token) => {
      this.current?.renewed(token);
      this.emitter.emit("renewed", token);
    });
  }

  /** Makes a client. It asks the server nothing yet: `restore`, `logIn` or `register` do. */
  static async open(options: ChatOptions = {}): Promise<ChatX> {
    const platform = options.platform ?? standardPlatform(options.storage ?? (await standardStorage()));
    const used = options.storage === undefined ? platform : { ...platform, storage: options.storage };
    const url = options.url ?? "";
    const base = (typeof url === "string" ? url : url.href).replace(/\/+$/, "");
    return new ChatX(used, base, options.tokens ?? (base === "" ? "cookie" : "bearer"));
  }

  /** Answers how to stop listening. */
  on<Name extends keyof ChatEvents>(name: Name, listener: ChatEvents[Name]): () => void {
    return this.emitter.on(name, listener);
  }

  get user(): User | undefined {
    return this.session.user;
  }

  /** What goes on; undefined while nobody is signed in. */
  get live(): Live | undefined {
    return this.current;
  }

  /**
   * Takes up the session of an earlier time; undefined when there is none that the server still takes. While the server
   * cannot be asked it is taken up all the same, and ends with `ended` if the server turns out to think otherwise.
   */
  restore(): Promise<User | undefined> {
    return this.session.restore();
  }

  register(fields: Registration): Promise<User> {
    return this.session.register(fields);
  }

  logIn(credentials: Credentials): Promise<User> {
    return this.session.logIn(credentials);
  }

  /** Takes up the session that a visit to a provider (`GET /v1/auth/oidc/{provider}`) has begun. For `tokens: "cookie"`. */
  enter(): Promise<User> {
    return this.session.enter();
  }

  logOut(): Promise<void> {
    return this.leave(() => this.session.logOut());
  }

  /** Closes the account at once; what it was is erased soon after. Who has a password gives it. */
  erase(password?: string): Promise<void> {
    return this.leave(() => this.session.erase(password));
  }

  /** Leaves without a word to the server: the session, and what is not sent yet, are there the next time. */
  close(): void {
    this.stop();
    this.session.close();
  }

  /** Follows a room that one is a member of, from now on and over every loss of the connection. */
  follow(room: Id, options?: FollowOptions): void {
    this.signedIn().follow(room, options);
  }

  unfollow(room: Id): void {
    this.current?.unfollow(room);
  }

  /** Takes a message: from here on it is sent until the server answers. The room has to be followed. */
  send(room: Id, message: string | OutgoingMessage): Sending {
    return this.signedIn().send(room, message);
  }

  /** Sends a file ahead of the message that takes it: `send(room, { body, files: [await upload(room, file)] })`. */
  upload(room: Id, file: FileSource, how?: UploadOptions): Promise<FileRef> {
    return this.api.upload(room, file, how);
  }

  /** Where a page that signs in by cookies shows a file from, or a picture in small. */
  fileUrl(file: Id, size: "whole" | "thumbnail" = "whole"): string {
    return `${this.base}/v1/files/${file}${size === "thumbnail" ? "/thumbnail" : ""}`;
  }

  /** The messages of a room, page by page into the past; each page is oldest first. */
  async *history(room: Id, query: Omit<MessageQuery, "after" | "around"> = {}): AsyncGenerator<Message[]> {
    let before = query.before;
    for (;;) {
      const page = await this.api.messages(room, { ...query, ...(before === undefined ? {} : { before }) });
      if (page.messages.length > 0) yield page.messages;
      before = page.messages[0]?.seq;
      if (!page.has_more || before === undefined) return;
    }
  }

  /** The socket goes first: were the server to close it for the ended session, that would look like a loss. */
  private async leave(end: () => Promise<void>): Promise<void> {
    this.current?.stop();
    try {
      await end();
    } catch (thrown) {
      this.current?.start();
      throw thrown;
    }
  }

  private began(user: User): void {
    this.stop();
    this.current = new Live(this.platform, this.door(), user.id, this.told());
    this.emitter.emit("began", user);
    this.current.start();
  }

  private stop(): void {
    this.current?.stop();
    this.current = undefined;
  }

  private signedIn(): Live {
    if (this.current !== undefined) return this.current;
    throw new Refusal({ code: "unauthenticated", message: "nobody is signed in" });
  }

  private door() {
    return {
      ticket: () => this.api.socketTicket(),
      renew: () => this.session.renew(),
      events: (room: Id, after: number, limit: number) => this.api.events(room, { after, limit }),
    };
  }

  private told(): LiveEvents {
    const tell =
      <Name extends keyof LiveEvents>(name: Name) =>
      (...told: Parameters<ChatEvents[Name]>) =>
        this.emitter.emit(name, ...told);
    return {
      status: tell("status"),
      ready: (frame) => {
        this.emitter.emit("ready", frame);
        this.session.ask().catch(() => undefined);
      },
      snapshot: tell("snapshot"), event: tell("event"),
      unsubscribed: tell("unsubscribed"), roomAdded: tell("roomAdded"), roomRemoved: tell("roomRemoved"), userChanged: tell("userChanged"), reports: tell("reports"), refused: tell("refused"), presence: tell("presence"), typing: tell("typing"),
      read: tell("read"), outbox: tell("outbox"),
    };
  }
}
