/** Who is in a room, with their presence and role, and what those who may can do about them. */

import { useEffect, useState } from "preact/hooks";
import type { Member } from "@chatx/sdk";
import { loadMoreMembers, talkTo } from "../state/actions";
import { loadMembers, status } from "../state/chat";
import { nameOf } from "../state/names";
import { statusOf } from "../state/people";
import { atLeast, grantable, mayModerate, roles } from "../state/permissions";
import type { RoomState } from "../state/room";
import { api, me } from "../state/session";
import { moment } from "../state/times";
import { attempt, inBackground } from "../state/toasts";
import { strings } from "../strings";
import { Avatar } from "./avatar";
import { Confirm } from "./dialog";
import { Menu, MenuItem } from "./menu";
import { showPerson } from "./person";
import { BanDialog, Bans, MuteDialog } from "./moderation";

export function Members({ room }: { room: RoomState }) {
  const { followed } = room;
  // Read anew after a time away: it may not have been possible before, and what people are up to may be something else.
  const live = status.value.kind === "live";
  useEffect(() => void inBackground(() => loadMembers(room)), [room, followed.value, live]);
  const members = room.members.value;
  const here = room.online.value;
  const sorted = [...(members ?? [])].sort(
    (a, b) => Number(here.has(b.user.id)) - Number(here.has(a.user.id)) || roles.indexOf(a.role) - roles.indexOf(b.role)
      || nameOf(a.user).localeCompare(nameOf(b.user)),
  );
  return (
    <section>
      <h3>
        {strings.details.members} <span class="count">{room.info.value.members}</span>
      </h3>
      {members === undefined ? (
        <p class="muted">{strings.common.loading}</p>
      ) : (
        <ul class="members" data-testid="members">
          {sorted.map((member) => (
            <MemberRow key={member.user.id} room={room} member={member} />
          ))}
        </ul>
      )}
      {room.membersCursor.value !== undefined && (
        <button type="button" class="button" onClick={() => void attempt(() => loadMoreMembers(room))}>
          {strings.details.more}
        </button>
      )}
      {atLeast(room.info.value.role, "moderator") && <Bans room={room} />}
    </section>
  );
}

function MemberRow({ room, member }: { room: RoomState; member: Member }) {
  const { user } = member;
  const self = user.id === me.value?.id;
  const state = room.online.value.get(user.id)?.state ?? "offline";
  const upTo = statusOf(user.id, member.status);
  const muted = member.muted_until != null && Date.parse(member.muted_until) > Date.now();
  return (
    <li class={state === "offline" ? "member away" : "member"} data-testid="member" data-user={user.username} data-state={state}>
      <Avatar user={user} state={state} small />
      <span class="member-name">
        <button type="button" class="plain-name" onClick={() => showPerson(user)}>{nameOf(user)}</button>
        {self && <span class="muted"> · {strings.rooms.you}</span>}
        {upTo !== "" && <span class="member-status" title={upTo}>{upTo}</span>}
        <span class="visually-hidden">{strings.presence[state]}</span>
      </span>
      {muted && <span class="tag" title={strings.details.until(moment(member.muted_until ?? ""))}>{strings.details.muted}</span>}
      {member.role !== "member" && <span class="tag">{strings.roles[member.role]}</span>}
      {!self && <Actions room={room} member={member} muted={muted} />}
    </li>
  );
}

function Actions({ room, member, muted }: { room: RoomState; member: Member; muted: boolean }) {
  const [asking, setAsking] = useState<"kick" | "ban" | "block" | "mute" | "transfer">();
  const { user } = member;
  const name = nameOf(user);
  const own = room.info.value.role;
  const moderates = room.info.value.visibility !== "direct" && mayModerate(own, member.role);

  function done(action: () => Promise<unknown>): Promise<boolean> {
    return attempt(async () => {
      await action();
      await loadMembers(room);
    });
  }

  return (
    <>
      <Menu label={strings.details.actions(name)} testid="member-actions">
        {() => (
          <>
            <MenuItem icon="message" testid="message" onChoose={() => void attempt(() => talkTo([user.id]))}>{strings.details.message}</MenuItem>
            {moderates && grantable(own, member.role).map((grant) => (
              <MenuItem key={grant} icon="people" onChoose={() => void done(() => api.setRole(room.id, user.id, grant))}>
                {strings.details.makeRole(strings.roles[grant])}
              </MenuItem>
            ))}
            {moderates && (
              <MenuItem
                icon="hidden"
                testid="mute"
                onChoose={() => (muted ? void done(() => api.mute(room.id, user.id, null)) : setAsking("mute"))}
              >
                {muted ? strings.details.unmute : strings.details.mute}
              </MenuItem>
            )}
            {moderates && own === "owner" && (
              <MenuItem icon="key" testid="transfer" onChoose={() => setAsking("transfer")}>{strings.details.transfer}</MenuItem>
            )}
            <MenuItem icon="block" bad testid="block" onChoose={() => setAsking("block")}>{strings.details.block}</MenuItem>
            {moderates && <MenuItem icon="leave" bad testid="kick" onChoose={() => setAsking("kick")}>{strings.details.kick}</MenuItem>}
            {moderates && <MenuItem icon="lock" bad testid="ban" onChoose={() => setAsking("ban")}>{strings.details.ban}</MenuItem>}
          </>
        )}
      </Menu>
      {asking === "block" && (
        <Confirm title={strings.details.blockTitle(name)} text={strings.details.blockText} action={strings.details.block}
          onConfirm={() => attempt(() => api.block(user.id))} onClose={() => setAsking(undefined)} />
      )}
      {asking === "kick" && (
        <Confirm title={strings.details.kickTitle(name)} text={strings.details.kickText} action={strings.details.kick}
          onConfirm={() => done(() => api.kick(room.id, user.id))} onClose={() => setAsking(undefined)} />
      )}
      {asking === "ban" && (
        <BanDialog room={room} member={member} onDone={() => loadMembers(room)} onClose={() => setAsking(undefined)} />
      )}
      {asking === "mute" && (
        <MuteDialog room={room} member={member} onDone={() => loadMembers(room)} onClose={() => setAsking(undefined)} />
      )}
      {asking === "transfer" && (
        <Confirm title={strings.details.transferTitle(name)} text={strings.details.transferText} action={strings.details.transfer}
          onConfirm={() => done(() => api.setRole(room.id, user.id, "owner"))} onClose={() => setAsking(undefined)} />
      )}
    </>
  );
}
