/** What a room is and who is in it, beside the conversation. */

import { useState } from "preact/hooks";
import { inviteLink, leaveRoom } from "../state/actions";
import { dialog } from "../state/dialogs";
import { roomTitle } from "../state/names";
import { atLeast, mayChangeRoom } from "../state/permissions";
import type { RoomState } from "../state/room";
import { attempt, toast } from "../state/toasts";
import { strings } from "../strings";
import { Confirm } from "./dialog";
import { Icon } from "./icons";
import { ManageLink } from "./manage";
import { Members } from "./members";
import { SidePane } from "./side";

export function Details({ room }: { room: RoomState }) {
  const [leaving, setLeaving] = useState(false);
  const info = room.info.value;
  const mayInvite = info.visibility !== "direct" && (info.visibility === "public" || atLeast(info.role, "moderator"));
  return (
    <SidePane title={strings.details.title} testid="details">
      <div class="details-body">
        <section>
          {info.visibility !== "direct" && (
            <p class={info.topic ? "topic" : "topic muted"}>{info.topic || strings.details.noTopic}</p>
          )}
          <p class="muted">
            {strings.visibility[info.visibility]} · {strings.rooms.members(info.members)}
          </p>
        </section>
        <section class="details-actions">
          {mayInvite && <InviteButton room={room} />}
          {mayChangeRoom(info.role) && (
            <button type="button" class="button" data-testid="room-settings" onClick={() => (dialog.value = { kind: "room-settings", room: room.id })}>
              <Icon name="sliders" />
              {strings.details.settings}
            </button>
          )}
          <ManageLink room={room} />
          {info.visibility !== "direct" && (
            <button type="button" class="button" data-testid="leave" onClick={() => setLeaving(true)}>
              <Icon name="leave" />
              {strings.details.leave}
            </button>
          )}
        </section>
        <Members room={room} />
      </div>
      {leaving && (
        <Confirm
          title={strings.details.leaveTitle(roomTitle(room))}
          text={strings.details.leaveText}
          action={strings.details.leave}
          onConfirm={() => attempt(() => leaveRoom(room.id))}
          onClose={() => setLeaving(false)}
        />
      )}
    </SidePane>
  );
}

function InviteButton({ room }: { room: RoomState }) {
  const [link, setLink] = useState<string>();
  if (link === undefined) {
    return (
      <button type="button" class="button" data-testid="invite" onClick={() => void attempt(async () => setLink(await inviteLink(room.id)))}>
        <Icon name="link" />
        {strings.details.invite}
      </button>
    );
  }
  return (
    <div class="invite-link">
      <div class="input">
        <input readOnly value={link} aria-label={strings.rooms.inviteLink} onFocus={(event) => event.currentTarget.select()} />
        <button type="button" class="link" onClick={() => void copy(link)}>{strings.details.copy}</button>
      </div>
      <p class="hint">{strings.details.inviteReady}</p>
    </div>
  );
}

/** Without the clipboard (a page over plain HTTP has none) the link stands there to be copied by hand. */
async function copy(text: string): Promise<void> {
  await attempt(async () => {
    await navigator.clipboard.writeText(text);
    toast(strings.details.copied);
  });
}
