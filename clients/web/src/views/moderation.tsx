/** What moderators do about people: mute, ban, and lift bans. */

import { useState } from "preact/hooks";
import { type Ban, limits, type Member } from "@chatx/sdk";
import { nameOf } from "../state/names";
import { knownName } from "../state/people";
import type { RoomState } from "../state/room";
import { api } from "../state/session";
import { moment } from "../state/times";
import { attempt } from "../state/toasts";
import { strings } from "../strings";
import { Avatar } from "./avatar";
import { Choice, Field, useForm } from "./form";
import { FormDialog } from "./form_dialog";

const mutes = [900, 3_600, 28_800, 86_400, 604_800] as const;
const bans = [3_600, 86_400, 604_800, 2_592_000] as const;

interface AboutMemberProps {
  room: RoomState;
  member: Member;
  /** It is done. */
  onDone(): Promise<unknown>;
  onClose(): void;
}

const inSeconds = (seconds: number) => new Date(Date.now() + seconds * 1000).toISOString();

export function MuteDialog({ room, member: { user }, onDone, onClose }: AboutMemberProps) {
  const form = useForm(async (data) => {
    await api.mute(room.id, user.id, inSeconds(Number(data.get("length"))));
    await onDone();
    onClose();
  });
  return (
    <FormDialog title={strings.details.muteTitle(nameOf(user))} form={form} action={strings.details.mute} onClose={onClose}>
      <p class="muted">{strings.details.muteText}</p>
      <Choice name="length" label={strings.details.length} value="3600" testid="mute-length"
        choices={mutes.map((length) => [String(length), strings.durations[length]] as const)} />
    </FormDialog>
  );
}

export function BanDialog({ room, member: { user }, onDone, onClose }: AboutMemberProps) {
  const form = useForm(async (data) => {
    const reason = String(data.get("reason")).trim();
    const length = Number(data.get("length"));
    await api.ban(room.id, user.id, { ...(reason === "" ? {} : { reason }), ...(length > 0 ? { until: inSeconds(length) } : {}) });
    await onDone();
    onClose();
  });
  return (
    <FormDialog title={strings.details.banTitle(nameOf(user))} form={form} action={strings.details.banAction} onClose={onClose}>
      <p class="muted">{strings.details.banText}</p>
      <Choice name="length" label={strings.details.length} testid="ban-length"
        choices={[["0", strings.details.forGood] as const, ...bans.map((length) => [String(length), strings.durations[length]] as const)]} />
      <Field form={form} name="reason" label={strings.details.reason} hint={strings.details.reasonHint} optional maxLength={limits.reasonMax} testid="ban-reason" />
    </FormDialog>
  );
}

export function Bans({ room }: { room: RoomState }) {
  const [banned, setBanned] = useState<readonly Ban[]>();
  const load = () => void attempt(async () => setBanned(await api.bans(room.id)));
  return (
    <details class="bans" data-testid="bans" onToggle={(event) => event.currentTarget.open && load()}>
      <summary>{strings.details.bans}</summary>
      {banned?.length === 0 && <p class="muted">{strings.details.noBans}</p>}
      <ul class="members">
        {banned?.map((ban) => (
          <li key={ban.user.id} class="member" data-testid="ban-row">
            <Avatar user={ban.user} small />
            <span class="ban-text">
              <strong>{nameOf(ban.user)}</strong>
              <span class="muted">
                {ban.until == null ? strings.details.forGood : strings.details.until(moment(ban.until))}
                {ban.by !== undefined && ` · ${strings.details.bannedBy(knownName(ban.by))}`}
              </span>
              {ban.reason != null && ban.reason !== "" && <span class="muted">{ban.reason}</span>}
            </span>
            <button type="button" class="link" onClick={() => void attempt(() => api.unban(room.id, ban.user.id)).then(load)}>
              {strings.details.unban}
            </button>
          </li>
        ))}
      </ul>
    </details>
  );
}
