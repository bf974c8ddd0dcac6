/** How people and rooms are named to each other. */

import type { Id, Room, UserRef } from "@chatx/sdk";
import { strings } from "../strings";
import type { RoomState } from "./room";
import { asNow } from "./people";
import { me } from "./session";

export function nameOf(user: UserRef): string {
  const { username, display_name } = asNow(user);
  return display_name === "" ? username : display_name;
}

/** What is enough where there is little room. */
export function firstNameOf(user: UserRef): string {
  const name = nameOf(user);
  return name.split(/\s/, 1)[0] || name;
}

/** A direct conversation has no name of its own: it is called after whom one has it with. */
export function roomTitle(room: RoomState): string {
  const { info, members } = room;
  if (info.value.name !== "") return info.value.name;
  return others(info.value, members.value?.map((member) => member.user)) ?? strings.rooms.direct;
}

/** The people of a direct conversation beside oneself, as far as they are known. */
export function others(room: Room, members: readonly UserRef[] | undefined, self: Id | undefined = me.value?.id): string | undefined {
  const people = (room.people ?? members ?? []).filter((person) => person.id !== self);
  return people.length === 0 ? undefined : people.map(nameOf).join(", ");
}
