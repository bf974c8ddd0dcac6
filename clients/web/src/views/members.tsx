/** Who is in a room, with their presence and role, and what those who may can do about them. */

import { useEffect, useRef, useState } from "preact/hooks";
import type { Ban, Member } from "@chatx/sdk";
import { loadMoreMembers } from "../state/actions";
import { loadMembers } from "../state/chat";
import { nameOf } from "../state/names";
import { atLeast, grantable, mayModerate, roles } from "../state/permissions";
import type { RoomState } from "../state/room";
import { api, me } from "../state/session";
import { attempt } from "../state/toasts";
import { strings } from "../strings";
import { Avatar } from "./avatar";
import { Confirm } from "./dialog";
import { Icon } from "./icons";

const hourMs = 3_600_000;

export function Members({ room }: { room: RoomState }) {
  useEffect(() => void attempt(() => loadMembers(room)), [room]);
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
  const own = room.info.value.role;
  const self = user.id === me.value?.id;
  const state = room.online.value.get(user.id)?.state ?? "offline";
  const muted = member.muted_until != null && Date.parse(member.muted_until) > Date.now();
  return (
    <li class={state === "offline" ? "member away" : "member"} data-testid="member" data-user={user.username} data-state={state}>
      <Avatar user={user} state={state} small />
      <span class="member-name">
        <span>{nameOf(user)}{self && <span class="muted"> · {strings.rooms.you}</span>}</span>
        <span class="visually-hidden">{strings.presence[state]}</span>
      </span>
      {muted && <span class="tag">{strings.details.muted}</span>}
      {member.role !== "member" && <span class="tag">{strings.roles[member.role]}</span>}
      {!self && mayModerate(own, member.role) && <Actions room={room} member={member} muted={muted} />}
    </li>
  );
}

function Actions({ room, member, muted }: { room: RoomState; member: Member; muted: boolean }) {
  const [asking, setAsking] = useState<"kick" | "ban">();
  const menu = useRef<HTMLDetailsElement>(null);
  const { user } = member;
  const name = nameOf(user);
  const role = room.info.value.role;

  function close(): void {
    menu.current?.removeAttribute("open");
  }

  useEffect(() => {
    const elsewhere = (event: Event) => {
      if (event.target instanceof Node && !menu.current?.contains(event.target)) close();
    };
    document.addEventListener("pointerdown", elsewhere);
    return () => document.removeEventListener("pointerdown", elsewhere);
  }, []);

  function done(action: () => Promise<unknown>): Promise<boolean> {
    return attempt(async () => {
      await action();
      await loadMembers(room);
    });
  }

  function act(action: () => Promise<unknown>): void {
    close();
    void done(action);
  }

  function ask(what: "kick" | "ban"): void {
    close();
    setAsking(what);
  }

  return (
    <>
      <details
        class="menu"
        ref={menu}
        onKeyDown={(event) => {
          if (event.key !== "Escape" || !menu.current?.open) return;
          event.stopPropagation();
          close();
          menu.current.querySelector("summary")?.focus();
        }}
      >
        <summary class="icon-button" aria-label={strings.details.actions(name)} data-testid="member-actions">
          <Icon name="more" />
        </summary>
        <div class="menu-items">
          {grantable(role, member.role).map((grant) => (
            <button key={grant} type="button" onClick={() => act(() => api.setRole(room.id, user.id, grant))}>
              {strings.details.makeRole(strings.roles[grant])}
            </button>
          ))}
          <button
            type="button"
            onClick={() => act(() => api.mute(room.id, user.id, muted ? null : new Date(Date.now() + hourMs).toISOString()))}
          >
            {muted ? strings.details.unmute : strings.details.mute}
          </button>
          <button type="button" class="bad" data-testid="kick" onClick={() => ask("kick")}>{strings.details.kick}</button>
          <button type="button" class="bad" data-testid="ban" onClick={() => ask("ban")}>{strings.details.ban}</button>
        </div>
      </details>
      {asking === "kick" && (
        <Confirm title={strings.details.kickTitle(name)} text={strings.details.kickText} action={strings.details.kick}
          onConfirm={() => done(() => api.kick(room.id, user.id))} onClose={() => setAsking(undefined)} />
      )}
      {asking === "ban" && (
        <Confirm title={strings.details.banTitle(name)} text={strings.details.banText} action={strings.details.ban}
          onConfirm={() => done(() => api.ban(room.id, user.id))} onClose={() => setAsking(undefined)} />
      )}
    </>
  );
}

function Bans({ room }: { room: RoomState }) {
  const [bans, setBans] = useState<readonly Ban[]>();
  const load = () => void attempt(async () => setBans(await api.bans(room.id)));
  return (
    <details class="bans" onToggle={(event) => event.currentTarget.open && load()}>
      <summary>{strings.details.bans}</summary>
      {bans?.length === 0 && <p class="muted">{strings.details.noBans}</p>}
      <ul class="members">
        {bans?.map((ban) => (
          <li key={ban.user.id} class="member">
            <Avatar user={ban.user} small />
            <span class="member-name">{nameOf(ban.user)}</span>
            <button type="button" class="link" onClick={() => void attempt(() => api.unban(room.id, ban.user.id)).then(load)}>
              {strings.details.unban}
            </button>
          </li>
        ))}
      </ul>
    </details>
  );
}
