/** Who may do what in a room, to decide what is offered; the server decides what is done. */

import type { Role } from "@chatx/sdk";

const rank: Record<Role, number> = { member: 0, moderator: 1, admin: 2, owner: 3 };

export const roles: readonly Role[] = ["owner", "admin", "moderator", "member"];

export function atLeast(role: Role | null | undefined, least: Role): boolean {
  return role !== null && role !== undefined && rank[role] >= rank[least];
}

/** Kick, ban, mute: only people of a lower role. */
export function mayModerate(role: Role | null | undefined, other: Role): boolean {
  return atLeast(role, "moderator") && rank[role as Role] > rank[other];
}

/** The roles that someone of `role` may give to someone who is `other` now. */
export function grantable(role: Role | null | undefined, other: Role): Role[] {
  if (!atLeast(role, "admin") || !mayModerate(role, other)) return [];
  const all: Role[] = role === "owner" ? ["admin", "moderator", "member"] : ["moderator", "member"];
  return all.filter((grant) => grant !== other);
}

export const mayChangeRoom = (role: Role | null | undefined): boolean => atLeast(role, "admin");
export const mayDeleteRoom = (role: Role | null | undefined): boolean => role === "owner";
