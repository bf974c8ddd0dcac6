/** The links that let people into a room: making one, and those there are. */

import type { Invite } from "@chatx/sdk";
import { inviteLink } from "../state/actions";
import { closeDialog } from "../state/dialogs";
import { roomTitle } from "../state/names";
import { knownName } from "../state/people";
import { atLeast } from "../state/permissions";
import type { RoomState } from "../state/room";
import { api, me } from "../state/session";
import { moment } from "../state/times";
import { attempt, toast } from "../state/toasts";
import { strings } from "../strings";
import { Dialog } from "./dialog";
import { Choice, Problem, Submit, useForm } from "./form";
import { Icon } from "./icons";
import { useAnswer } from "./loaded";

const lives = [3_600, 86_400, 604_800, 2_592_000] as const;
const uses = [1, 5, 25, 100] as const;
const usualLife = 604_800;

export function Invites({ room }: { room: RoomState }) {
  const texts = strings.invites;
  const { value: invites, problem, reload } = useAnswer(() => api.invites(room.id), room.id);
  const form = useForm(async (data) => {
    const most = Number(data.get("uses"));
    const invite = await api.createInvite(room.id, { expires_in_s: Number(data.get("life")), ...(most > 0 ? { max_uses: most } : {}) });
    await reload();
    await copy(room, invite);
  });
  return (
    <Dialog title={texts.title(roomTitle(room))} onClose={closeDialog} wide>
      <form class="filter" onSubmit={form.onSubmit} noValidate data-testid="new-invite">
        <Choice name="life" label={texts.life} value={String(usualLife)} testid="invite-life"
          choices={lives.map((life) => [String(life), strings.durations[life]] as const)} />
        <Choice name="uses" label={texts.uses} testid="invite-uses"
          choices={[["0", texts.anyUses] as const, ...uses.map((count) => [String(count), texts.usesUpTo(count)] as const)]} />
        <Submit form={form}>{texts.create}</Submit>
        <Problem form={form} />
      </form>
      {problem !== undefined && <p class="problem" role="alert">{problem}</p>}
      {(invites === undefined || invites.length === 0) && (
        <p class="muted">{invites === undefined ? strings.common.loading : texts.none}</p>
      )}
      <ul class="rows" data-testid="invites">
        {invites?.map((invite) => <InviteRow key={invite.code} room={room} invite={invite} onGone={() => void reload()} />)}
      </ul>
    </Dialog>
  );
}

function InviteRow({ room, invite, onGone }: { room: RoomState; invite: Invite; onGone(): void }) {
  const texts = strings.invites;
  const mine = invite.by === me.value?.id;
  const link = inviteLink(room.id, invite.code);
  return (
    <li class="row" data-testid="invite-row">
      <div class="row-text">
        <input class="invite-code" readOnly value={link} aria-label={strings.rooms.inviteLink} onFocus={(event) => event.currentTarget.select()} />
        <p class="muted">
          {texts.used(invite.uses, invite.max_uses ?? undefined)} · {texts.until(moment(invite.expires_at))}
          {!mine && ` · ${texts.by(knownName(invite.by))}`}
        </p>
      </div>
      <button type="button" class="icon-button" aria-label={texts.copy} title={texts.copy} data-testid="copy-invite" onClick={() => void copy(room, invite)}>
        <Icon name="link" />
      </button>
      {(mine || atLeast(room.info.value.role, "moderator")) && (
        <button type="button" class="icon-button" aria-label={texts.revoke} title={texts.revoke} data-testid="revoke-invite"
          onClick={() => void attempt(() => api.revokeInvite(room.id, invite.code)).then(onGone)}>
          <Icon name="trash" />
        </button>
      )}
    </li>
  );
}

/** Without the clipboard (a page over plain HTTP has none) the link stands there to be copied by hand. */
async function copy(room: RoomState, { code }: Invite): Promise<void> {
  try {
    await navigator.clipboard.writeText(inviteLink(room.id, code));
    toast(strings.invites.copied);
  } catch {
    toast(strings.invites.made);
  }
}
