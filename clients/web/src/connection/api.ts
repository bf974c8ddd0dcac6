/** The server's HTTP interface, one method for each thing asked of it. */

import type {
  Ban, EventPage, Id, Invite, Member, MemberPage, MyRoom, Role, Room, RoomFields, RoomPage, Seq, Session, SignedIn,
  SocketTicket, Timestamp, User,
} from "../protocol";
import type { Http } from "./http";

export class Api {
  constructor(private readonly http: Http) {}

  // Who one is.

  register(fields: { username: string; email: string; password: string; display_name?: string }): Promise<SignedIn> {
    return this.http.open("/v1/auth/register?cookie=true", fields);
  }
  logIn(login: string, password: string, device: string): Promise<SignedIn> {
    return this.http.open("/v1/auth/login?cookie=true", { login, password, device });
  }
  logOut(): Promise<void> {
    return this.http.call("POST", "/v1/auth/logout");
  }
  me(): Promise<User> {
    return this.http.call("GET", "/v1/users/me");
  }
  updateMe(fields: { display_name?: string; bio?: string; status?: string }): Promise<User> {
    return this.http.call("PATCH", "/v1/users/me", fields);
  }
  changePassword(current: string, next: string): Promise<void> {
    return this.http.call("POST", "/v1/auth/password", { current, new: next });
  }
  async sessions(): Promise<Session[]> {
    return (await this.http.call<{ sessions: Session[] }>("GET", "/v1/auth/sessions")).sessions;
  }
  revokeSession(id: Id): Promise<void> {
    return this.http.call("DELETE", `/v1/auth/sessions/${id}`);
  }
  revokeOtherSessions(): Promise<void> {
    return this.http.call("DELETE", "/v1/auth/sessions");
  }
  socketTicket(): Promise<SocketTicket> {
    return this.http.call("POST", "/v1/socket", {});
  }

  // Rooms.

  async myRooms(): Promise<MyRoom[]> {
    return (await this.http.call<{ rooms: MyRoom[] }>("GET", "/v1/users/me/rooms")).rooms;
  }
  discover(query: string, cursor?: string): Promise<RoomPage> {
    const ask = new Map([["limit", "30"]]);
    if (query !== "") ask.set("query", query);
    if (cursor !== undefined) ask.set("cursor", cursor);
    return this.http.call("GET", `/v1/rooms?${queryString(ask)}`);
  }
  createRoom(fields: RoomFields): Promise<Room> {
    return this.http.call("POST", "/v1/rooms", fields);
  }
  room(room: Id): Promise<Room> {
    return this.http.call("GET", `/v1/rooms/${room}`);
  }
  updateRoom(room: Id, fields: RoomFields): Promise<Room> {
    return this.http.call("PATCH", `/v1/rooms/${room}`, fields);
  }
  deleteRoom(room: Id): Promise<void> {
    return this.http.call("DELETE", `/v1/rooms/${room}`);
  }
  join(room: Id, by: { password?: string; invite?: string }): Promise<Member> {
    return this.http.call("POST", `/v1/rooms/${room}/members`, by);
  }
  leave(room: Id): Promise<void> {
    return this.http.call("DELETE", `/v1/rooms/${room}/members/me`);
  }
  createInvite(room: Id): Promise<Invite> {
    return this.http.call("POST", `/v1/rooms/${room}/invites`, {});
  }

  // The people in a room.

  members(room: Id, cursor?: string): Promise<MemberPage> {
    const ask = new Map([["limit", "100"]]);
    if (cursor !== undefined) ask.set("cursor", cursor);
    return this.http.call("GET", `/v1/rooms/${room}/members?${queryString(ask)}`);
  }
  setRole(room: Id, user: Id, role: Role): Promise<void> {
    return this.http.call("PATCH", `/v1/rooms/${room}/members/${user}`, { role });
  }
  /** Mutes up to `until`; `null` lets them speak again. */
  mute(room: Id, user: Id, until: Timestamp | null): Promise<void> {
    return this.http.call("PATCH", `/v1/rooms/${room}/members/${user}`, { muted_until: until });
  }
  kick(room: Id, user: Id): Promise<void> {
    return this.http.call("DELETE", `/v1/rooms/${room}/members/${user}`);
  }
  ban(room: Id, user: Id): Promise<void> {
    return this.http.call("PUT", `/v1/rooms/${room}/bans/${user}`, {});
  }
  unban(room: Id, user: Id): Promise<void> {
    return this.http.call("DELETE", `/v1/rooms/${room}/bans/${user}`);
  }
  async bans(room: Id): Promise<Ban[]> {
    return (await this.http.call<{ bans: Ban[] }>("GET", `/v1/rooms/${room}/bans`)).bans;
  }

  // What was said.

  /** The room's log above `after`, in order. */
  events(room: Id, after: Seq, limit: number): Promise<EventPage> {
    return this.http.call("GET", `/v1/rooms/${room}/events?after=${after}&limit=${limit}`);
  }
  edit(room: Id, seq: Seq, body: string): Promise<void> {
    return this.http.call("PATCH", `/v1/rooms/${room}/messages/${seq}`, { body });
  }
  delete(room: Id, seq: Seq): Promise<void> {
    return this.http.call("DELETE", `/v1/rooms/${room}/messages/${seq}`);
  }
}

function queryString(ask: Map<string, string>): string {
  return [...ask].map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&");
}
