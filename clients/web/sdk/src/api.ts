/** The server's HTTP interface, one method for each thing asked of it. */

import type { Method } from "./http.ts";
import type {
  AuditEntry, Ban, Block, EventPage, Id, Invite, Member, Message, MessagePage, MessageQuery, MyRoom, NewMessage, NewRoom, Node,
  Page, Pin, Receipt, Role, Room, RoomChanges, SearchHit, SearchQuery, Seq, Session, SocketTicket, Timestamp, User, Version,
} from "./protocol.ts";

/** Makes the calls: `Session` does. */
export interface Caller {
  call<T>(method: Method, path: string, body?: unknown): Promise<T>;
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
  updateMe(fields: { display_name?: string; bio?: string; status?: string; shows_reads?: boolean }): Promise<User> {
    return this.caller.call("PATCH", "/v1/users/me", fields);
  }
  /** Erases the account, which takes a while. */
  eraseMe(): Promise<void> {
    return this.caller.call("DELETE", "/v1/users/me");
  }
  /** Everything that the server keeps of the caller. */
  exportMe(): Promise<unknown> {
    return this.get("/users/me/export");
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
  /** The conversation of the caller with these people; it is made if there is none yet. */
  direct(people: readonly Id[]): Promise<Room> {
    return this.caller.call("POST", "/v1/dms", { user_ids: people });
  }
  join(room: Id, by: { password?: string; invite?: string } = {}): Promise<Member> {
    return this.caller.call("POST", `/v1/rooms/${room}/members`, by);
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

  private get<T>(path: string, ask: object = {}): Promise<T> {
    const fields = Object.entries(ask).filter(([, value]) => value !== undefined && value !== "");
    const query = fields.map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`).join("&");
    return this.caller.call("GET", `/v1${path}${query === "" ? "" : `?${query}`}`);
  }
}
