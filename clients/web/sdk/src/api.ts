/** The server's HTTP interface, one method for each thing asked of it. */

import type { Method } from "./http.ts";
import type { FileSource, UploadOptions } from "./platform.ts";
import type {
  Account, AccountChanges, AdminRoom, AdminRoomChanges, AuditEntry, Ban, Block, Bot, BotToken, DeletedRoom, EventPage, FileRef, Hook,
  Id, Identity, Invite, Member, Message, MessagePage, MessageQuery, MyRoom, NewBot, NewBotToken, NewMessage, NewRoom, NewWebhook, Node, Page,
  PasswordReset, Pin, ProfileChanges, Provider, Receipt, Report, ReportReason, ReportState, Role, Room, RoomChanges, SearchHit,
  SearchQuery, Seq, Session, SocketTicket, StorageUse, Timestamp, TotpSecret, User, Version, Webhook, WebhookChanges,
} from "./protocol.ts";

/** Makes the calls: `Session` does. */
export interface Caller {
  call<T>(method: Method, path: string, body?: unknown): Promise<T>;
  upload<T>(path: string, file: FileSource, how: UploadOptions): Promise<T>;
  download(path: string): Promise<ArrayBuffer>;
}

/** Which part of a list. */
export interface Part {
  cursor?: string;
  /** 50 unless told, at most 200. */
  limit?: number;
}

export class Api {
  constructor(private readonly caller: Caller) {}

  // Oneself.

  me(): Promise<User> {
    return this.get("/users/me");
  }
  updateMe(fields: ProfileChanges): Promise<User> {
    return this.caller.call("PATCH", "/v1/users/me", fields);
  }
  /** Closes the account at once and erases it soon after; who has a password gives it. */
  eraseMe(password?: string): Promise<void> {
    return this.caller.call("DELETE", "/v1/users/me", password === undefined ? {} : { password });
  }
  /** Everything that the server keeps of the caller, as a zip. */
  exportMe(): Promise<ArrayBuffer> {
    return this.caller.download("/v1/users/me/export");
  }
  changePassword(current: string, next: string): Promise<void> {
    return this.caller.call("POST", "/v1/auth/password", { current, new: next });
  }
  async sessions(): Promise<Session[]> {
    return (await this.get<{ sessions: Session[] }>("/auth/sessions")).sessions;
  }
  revokeSession(id: Id): Promise<void> {
    return this.caller.call("DELETE", `/v1/auth/sessions/${id}`);
  }
  /** Every one but that of the caller. */
  revokeOtherSessions(): Promise<void> {
    return this.caller.call("DELETE", "/v1/auth/sessions");
  }
  async blocks(): Promise<Block[]> {
    return (await this.get<{ blocks: Block[] }>("/users/me/blocks")).blocks;
  }
  block(user: Id): Promise<void> {
    return this.caller.call("PUT", `/v1/users/me/blocks/${user}`);
  }
  unblock(user: Id): Promise<void> {
    return this.caller.call("DELETE", `/v1/users/me/blocks/${user}`);
  }

  /** Takes the token of the mail that asks whether the address is one's own. */
  verifyEmail(token: string): Promise<void> {
    return this.caller.call("POST", "/v1/auth/verify", { token });
  }
  resendVerification(): Promise<void> {
    return this.caller.call("POST", "/v1/auth/verify/resend");
  }
  /** Sends a mail to whoever that is, if they have an account; nobody is told whether they have. */
  requestReset(login: string): Promise<void> {
    return this.caller.call("POST", "/v1/auth/reset", { login });
  }
  /** Takes the token of that mail. Every session of the account ends. */
  resetPassword(token: string, next: string): Promise<void> {
    return this.caller.call("POST", "/v1/auth/reset/confirm", { token, new: next });
  }
  async providers(): Promise<Provider[]> {
    return (await this.get<{ providers: Provider[] }>("/auth/providers")).providers;
  }
  /** Accounts elsewhere that the caller logs in by. */
  async identities(): Promise<Identity[]> {
    return (await this.get<{ identities: Identity[] }>("/users/me/identities")).identities;
  }
  /** Begins to add one, and answers where a browser has to go for it; it comes back to the path `returnTo`. */
  async linkIdentity(provider: string, password?: string, returnTo?: string): Promise<string> {
    const wish = { provider, password, return_to: returnTo };
    return (await this.caller.call<{ url: string }>("POST", "/v1/users/me/identities", wish)).url;
  }
  unlinkIdentity(id: Id): Promise<void> {
    return this.caller.call("DELETE", `/v1/users/me/identities/${id}`);
  }
  /** Begins to guard logins by codes; nothing asks for them until `confirmTotp`. */
  beginTotp(password?: string): Promise<TotpSecret> {
    return this.caller.call("POST", "/v1/users/me/totp", password === undefined ? {} : { password });
  }
  /** Answers the recovery codes, which are told this once. */
  async confirmTotp(code: string): Promise<string[]> {
    return (await this.caller.call<{ recovery_codes: string[] }>("POST", "/v1/users/me/totp/confirm", { code })).recovery_codes;
  }
  /** `totp` is a code, or a recovery code. */
  endTotp(totp: string): Promise<void> {
    return this.caller.call("DELETE", "/v1/users/me/totp", { totp });
  }
  /** New recovery codes; those before are void. */
  async renewRecoveryCodes(totp: string): Promise<string[]> {
    return (await this.caller.call<{ recovery_codes: string[] }>("POST", "/v1/users/me/totp/codes", { totp })).recovery_codes;
  }

  // Others.

  user(id: Id): Promise<User> {
    return this.get(`/users/${id}`);
  }
  /** People whose names begin so. */
  async findUsers(query: string, limit?: number): Promise<User[]> {
    return (await this.get<{ users: User[] }>("/users", { query, limit })).users;
  }

  // Rooms.

  async myRooms(): Promise<MyRoom[]> {
    return (await this.get<{ rooms: MyRoom[] }>("/users/me/rooms")).rooms;
  }
  /** Rooms that anyone may find. */
  discover(ask: Part & { query?: string; sort?: "name" | "members" | "created" } = {}): Promise<Page<"rooms", Room>> {
    return this.get("/rooms", ask);
  }
  createRoom(fields: NewRoom): Promise<Room> {
    return this.caller.call("POST", "/v1/rooms", fields);
  }
  room(room: Id): Promise<Room> {
    return this.get(`/rooms/${room}`);
  }
  updateRoom(room: Id, changes: RoomChanges): Promise<Room> {
    return this.caller.call("PATCH", `/v1/rooms/${room}`, changes);
  }
  deleteRoom(room: Id): Promise<void> {
    return this.caller.call("DELETE", `/v1/rooms/${room}`);
  }
  /** Those that the caller deleted and can bring back. */
  async deletedRooms(): Promise<DeletedRoom[]> {
    return (await this.get<{ rooms: DeletedRoom[] }>("/users/me/rooms/deleted")).rooms;
  }
  restoreRoom(room: Id): Promise<Room> {
    return this.caller.call("POST", `/v1/rooms/${room}/restore`);
  }
  /** The conversation of the caller with these people; it is made if there is none yet. */
  direct(people: readonly Id[]): Promise<Room> {
    return this.caller.call("POST", "/v1/dms", { user_ids: people });
  }
  join(room: Id, by: { password?: string; invite?: string } = {}): Promise<Member> {
    return this.caller.call("POST", `/v1/rooms/${room}/members`, by);
  }
  /** Takes a bot in. */
  addBot(room: Id, bot: Id): Promise<Member> {
    return this.caller.call("POST", `/v1/rooms/${room}/members`, { user: bot });
  }
  leave(room: Id): Promise<void> {
    return this.caller.call("DELETE", `/v1/rooms/${room}/members/me`);
  }

  // The people in a room.

  members(room: Id, part: Part = {}): Promise<Page<"members", Member>> {
    return this.get(`/rooms/${room}/members`, part);
  }
  setRole(room: Id, user: Id, role: Role): Promise<Member> {
    return this.caller.call("PATCH", `/v1/rooms/${room}/members/${user}`, { role });
  }
  /** Mutes up to `until`; `null` lets them speak again. */
  mute(room: Id, user: Id, until: Timestamp | null): Promise<Member> {
    return this.caller.call("PATCH", `/v1/rooms/${room}/members/${user}`, { muted_until: until });
  }
  kick(room: Id, user: Id): Promise<void> {
    return this.caller.call("DELETE", `/v1/rooms/${room}/members/${user}`);
  }
  ban(room: Id, user: Id, how: { reason?: string; until?: Timestamp } = {}): Promise<void> {
    return this.caller.call("PUT", `/v1/rooms/${room}/bans/${user}`, how);
  }
  unban(room: Id, user: Id): Promise<void> {
    return this.caller.call("DELETE", `/v1/rooms/${room}/bans/${user}`);
  }
  async bans(room: Id): Promise<Ban[]> {
    return (await this.get<{ bans: Ban[] }>(`/rooms/${room}/bans`)).bans;
  }
  createInvite(room: Id, how: { max_uses?: number; expires_in_s?: number } = {}): Promise<Invite> {
    return this.caller.call("POST", `/v1/rooms/${room}/invites`, how);
  }
  async invites(room: Id): Promise<Invite[]> {
    return (await this.get<{ invites: Invite[] }>(`/rooms/${room}/invites`)).invites;
  }
  revokeInvite(room: Id, code: string): Promise<void> {
    return this.caller.call("DELETE", `/v1/rooms/${room}/invites/${encodeURIComponent(code)}`);
  }

  // What was said.

  messages(room: Id, query: MessageQuery = {}): Promise<MessagePage> {
    return this.get(`/rooms/${room}/messages`, query);
  }
  message(room: Id, seq: Seq): Promise<Message> {
    return this.get(`/rooms/${room}/messages/${seq}`);
  }
  /** Stores a message without a socket. `Live.send` does more: it does not rest until the message is stored. */
  post(room: Id, message: NewMessage): Promise<Message> {
    return this.caller.call("POST", `/v1/rooms/${room}/messages`, message);
  }
  edit(room: Id, seq: Seq, body: string): Promise<Message> {
    return this.caller.call("PATCH", `/v1/rooms/${room}/messages/${seq}`, { body });
  }
  /** Its text is gone everywhere; its place stays. */
  delete(room: Id, seq: Seq): Promise<void> {
    return this.caller.call("DELETE", `/v1/rooms/${room}/messages/${seq}`);
  }
  /** The texts that a message had before. */
  async versions(room: Id, seq: Seq): Promise<Version[]> {
    return (await this.get<{ versions: Version[] }>(`/rooms/${room}/messages/${seq}/history`)).versions;
  }
  react(room: Id, seq: Seq, emoji: string): Promise<void> {
    return this.caller.call("PUT", `/v1/rooms/${room}/messages/${seq}/reactions/${encodeURIComponent(emoji)}`);
  }
  unreact(room: Id, seq: Seq, emoji: string): Promise<void> {
    return this.caller.call("DELETE", `/v1/rooms/${room}/messages/${seq}/reactions/${encodeURIComponent(emoji)}`);
  }
  pin(room: Id, seq: Seq): Promise<void> {
    return this.caller.call("PUT", `/v1/rooms/${room}/messages/${seq}/pin`);
  }
  unpin(room: Id, seq: Seq): Promise<void> {
    return this.caller.call("DELETE", `/v1/rooms/${room}/messages/${seq}/pin`);
  }
  async pins(room: Id): Promise<Pin[]> {
    return (await this.get<{ pins: Pin[] }>(`/rooms/${room}/pins`)).pins;
  }
  /** Tells the moderators of a message that is out of place. */
  report(room: Id, seq: Seq, reason: ReportReason, note?: string): Promise<Report> {
    const body = note === undefined || note === "" ? { reason } : { reason, note };
    return this.caller.call("POST", `/v1/rooms/${room}/messages/${seq}/report`, body);
  }
  reports(room: Id, ask: Part & { state?: ReportState } = {}): Promise<Page<"reports", Report>> {
    return this.get(`/rooms/${room}/reports`, ask);
  }
  closeReport(room: Id, report: Id, state: ReportState): Promise<Report> {
    return this.caller.call("PATCH", `/v1/rooms/${room}/reports/${report}`, { state });
  }
  /** Moves the read mark, which only moves forward. */
  markRead(room: Id, seq: Seq): Promise<void> {
    return this.caller.call("PUT", `/v1/rooms/${room}/read`, { seq });
  }
  /** Who has read up to there, as far as they let it be seen. */
  receipts(room: Id, seq: Seq, part: Part = {}): Promise<Page<"receipts", Receipt>> {
    return this.get(`/rooms/${room}/receipts`, { seq, ...part });
  }
  /** The room's log above `after`, every kind of event; with `wait_s` (at most 30) it waits for the first one. */
  events(room: Id, ask: { after: Seq; limit?: number; wait_s?: number }): Promise<EventPage> {
    return this.get(`/rooms/${room}/events`, ask);
  }
  search(query: SearchQuery): Promise<Page<"hits", SearchHit>> {
    return this.get("/search", query);
  }

  // Files.

  /** Keeps a file for a message of the caller in this room; one that no message takes is gone within a day. */
  upload(room: Id, file: FileSource, how: UploadOptions = {}): Promise<FileRef> {
    return this.caller.upload(`/v1/rooms/${room}/files`, file, how);
  }
  /** What is in a file. A page shows it by its address instead: `ChatX.fileUrl`. */
  file(file: Id): Promise<ArrayBuffer> {
    return this.caller.download(`/v1/files/${file}`);
  }
  /** A picture, at most 512 pixels a side. */
  thumbnail(file: Id): Promise<ArrayBuffer> {
    return this.caller.download(`/v1/files/${file}/thumbnail`);
  }

  // Programs.

  /** One's own; `all` are everybody's, for server admins. */
  async bots(all = false): Promise<Bot[]> {
    return (await this.get<{ bots: Bot[] }>("/bots", all ? { all } : {})).bots;
  }
  createBot(fields: NewBot): Promise<Bot> {
    return this.caller.call("POST", "/v1/bots", fields);
  }
  bot(bot: Id): Promise<Bot> {
    return this.get(`/bots/${bot}`);
  }
  updateBot(bot: Id, fields: { display_name?: string; bio?: string }): Promise<Bot> {
    return this.caller.call("PATCH", `/v1/bots/${bot}`, fields);
  }
  deleteBot(bot: Id): Promise<void> {
    return this.caller.call("DELETE", `/v1/bots/${bot}`);
  }
  async botTokens(bot: Id): Promise<BotToken[]> {
    return (await this.get<{ tokens: BotToken[] }>(`/bots/${bot}/tokens`)).tokens;
  }
  createBotToken(bot: Id, fields: NewBotToken): Promise<BotToken> {
    return this.caller.call("POST", `/v1/bots/${bot}/tokens`, fields);
  }
  revokeBotToken(bot: Id, token: Id): Promise<void> {
    return this.caller.call("DELETE", `/v1/bots/${bot}/tokens/${token}`);
  }
  /** One's own; with `room`, all of that room. */
  async webhooks(room?: Id): Promise<Webhook[]> {
    return (await this.get<{ webhooks: Webhook[] }>("/webhooks", { room })).webhooks;
  }
  createWebhook(fields: NewWebhook): Promise<Webhook> {
    return this.caller.call("POST", "/v1/webhooks", fields);
  }
  webhook(webhook: Id): Promise<Webhook> {
    return this.get(`/webhooks/${webhook}`);
  }
  updateWebhook(webhook: Id, changes: WebhookChanges): Promise<Webhook> {
    return this.caller.call("PATCH", `/v1/webhooks/${webhook}`, changes);
  }
  deleteWebhook(webhook: Id): Promise<void> {
    return this.caller.call("DELETE", `/v1/webhooks/${webhook}`);
  }
  /** Delivers what came after that place once more. */
  replayWebhook(webhook: Id, room: Id, after: Seq): Promise<Webhook> {
    return this.caller.call("POST", `/v1/webhooks/${webhook}/replay`, { room, after });
  }
  async hooks(room: Id): Promise<Hook[]> {
    return (await this.get<{ hooks: Hook[] }>(`/rooms/${room}/hooks`)).hooks;
  }
  createHook(room: Id, name: string): Promise<Hook> {
    return this.caller.call("POST", `/v1/rooms/${room}/hooks`, { name });
  }
  deleteHook(room: Id, hook: Id): Promise<void> {
    return this.caller.call("DELETE", `/v1/rooms/${room}/hooks/${hook}`);
  }

  /** Posts as a tool does that was given a hook's url, which ends in its token. */
  postToHook(token: string, message: { body: string; client_id?: string }): Promise<Message> {
    return this.caller.call("POST", `/v1/hooks/${encodeURIComponent(token)}`, message);
  }

  // The server.

  /** Where to open a socket, and the pass for it; with `room`, at the node that has the room. */
  socketTicket(room?: Id): Promise<SocketTicket> {
    return this.caller.call("POST", "/v1/socket", room === undefined ? {} : { room });
  }
  audit(ask: Part & { actor?: Id; action?: string } = {}): Promise<Page<"entries", AuditEntry>> {
    return this.get("/admin/audit", ask);
  }
  async nodes(): Promise<Node[]> {
    return (await this.get<{ nodes: Node[] }>("/admin/nodes")).nodes;
  }
  accounts(ask: Part & { query?: string; suspended?: boolean; admin?: boolean } = {}): Promise<Page<"users", Account>> {
    return this.get("/admin/users", ask);
  }
  account(user: Id): Promise<Account> {
    return this.get(`/admin/users/${user}`);
  }
  updateAccount(user: Id, changes: AccountChanges): Promise<Account> {
    return this.caller.call("PATCH", `/v1/admin/users/${user}`, changes);
  }
  /** The password so far is gone; whoever has the answer sets a new one. */
  resetAccount(user: Id): Promise<PasswordReset> {
    return this.caller.call("POST", `/v1/admin/users/${user}/reset`);
  }
  allRooms(ask: Part & { query?: string; ownerless?: boolean; deleted?: boolean } = {}): Promise<Page<"rooms", AdminRoom>> {
    return this.get("/admin/rooms", ask);
  }
  administerRoom(room: Id, changes: AdminRoomChanges): Promise<AdminRoom> {
    return this.caller.call("PATCH", `/v1/admin/rooms/${room}`, changes);
  }
  deleteAnyRoom(room: Id): Promise<void> {
    return this.caller.call("DELETE", `/v1/admin/rooms/${room}`);
  }
  allReports(ask: Part & { state?: ReportState; room?: Id } = {}): Promise<Page<"reports", Report>> {
    return this.get("/admin/reports", ask);
  }
  closeAnyReport(report: Id, state: ReportState): Promise<Report> {
    return this.caller.call("PATCH", `/v1/admin/reports/${report}`, { state });
  }
  storageUse(): Promise<StorageUse> {
    return this.get("/admin/storage");
  }

  private get<T>(path: string, ask: object = {}): Promise<T> {
    const fields = Object.entries(ask).filter(([, value]) => value !== undefined && value !== "");
    const query = fields.map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`).join("&");
    return this.caller.call("GET", `/v1${path}${query === "" ? "" : `?${query}`}`);
  }
}
