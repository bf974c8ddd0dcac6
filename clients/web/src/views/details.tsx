/** What a room is and who is in it, beside the conversation. */

import { useState } from "preact/hooks";
import { leaveRoom } from "../state/actions";
import { dialog } from "../state/dialogs";
import { roomTitle } from "../state/names";
import { atLeast } from "../state/permissions";
import type { RoomState } from "../state/room";
import { attempt } from "../state/toasts";
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
          {mayInvite && info.archived_at == null && (
            <button type="button" class="button" data-testid="invite" onClick={() => (dialog.value = { kind: "invites", room: room.id })}>
              <Icon name="link" />
              {strings.details.invite}
            </button>
          )}
          {info.visibility !== "direct" && atLeast(info.role, "moderator") && (
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
