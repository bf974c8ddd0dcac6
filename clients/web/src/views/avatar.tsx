/** People are round, rooms are square; the colour of each follows from its id and stays. */

import type { Id, PresenceState, Room, UserRef } from "@chatx/sdk";
import { nameOf } from "../state/names";
import type { RoomState } from "../state/room";
import { me } from "../state/session";
import { Icon } from "./icons";

const hues = 12;

export function hueOf(id: Id): number {
  let hash = 2166136261;
  for (let index = 0; index < id.length; index += 1) hash = Math.imul(hash ^ id.charCodeAt(index), 16777619);
  return (hash >>> 0) % hues;
}

/** The first letters of the first two words. */
export function initials(name: string): string {
  const words = name.split(/[\s._-]+/u).filter((word) => /[\p{L}\p{N}]/u.test(word));
  const letters = words.slice(0, 2).map((word) => [...word.replace(/^[^\p{L}\p{N}]+/u, "")][0] ?? "");
  return letters.join("").toLocaleUpperCase() || "?";
}

export function Avatar({ user, state, small }: { user: UserRef; state?: PresenceState | undefined; small?: boolean }) {
  return (
    <span class={`avatar person hue-${hueOf(user.id)}${small ? " small" : ""}`} aria-hidden="true">
      {initials(nameOf(user))}
      {state !== undefined && <span class={`presence ${state}`} />}
    </span>
  );
}

/** A room of one's own. A direct conversation with one person looks like them. */
export function RoomAvatar({ room }: { room: RoomState }) {
  const info = room.info.value;
  if (info.visibility !== "direct") return <RoomMark room={info} />;
  const others = (info.people ?? []).filter((person) => person.id !== me.value?.id);
  const [other] = others;
  if (other !== undefined && others.length === 1) return <Avatar user={other} state={room.online.value.get(other.id)?.state ?? "offline"} />;
  return (
    <span class={`avatar person hue-${hueOf(room.id)}`} aria-hidden="true">
      <Icon name="people" />
    </span>
  );
}

export function RoomMark({ room }: { room: Pick<Room, "id" | "name" | "visibility"> }) {
  const closed = room.visibility === "private" ? "lock" : room.visibility === "secret" ? "hidden" : undefined;
  return (
    <span class={`avatar room hue-${hueOf(room.id)}`} aria-hidden="true">
      {initials(room.name)}
      {closed !== undefined && (
        <span class="closed">
          <Icon name={closed} />
        </span>
      )}
    </span>
  );
}
