/** The messages that are pinned in a room. */

import { useEffect, useState } from "preact/hooks";
import type { Pin, Seq } from "@chatx/sdk";
import { seek } from "../state/actions";
import { isNarrow, side } from "../state/dialogs";
import { gist } from "../state/files";
import { nameOf } from "../state/names";
import type { RoomState } from "../state/room";
import { api, chat } from "../state/session";
import { fullTime, shortTime } from "../state/times";
import { attempt } from "../state/toasts";
import { strings } from "../strings";
import { Avatar } from "./avatar";
import { SidePane } from "./side";

export function Pins({ room }: { room: RoomState }) {
  const [pins, setPins] = useState<readonly Pin[]>();
  useEffect(() => {
    const load = () => void attempt(async () => setPins(await api.pins(room.id)));
    load();
    return chat.on("event", (event) => {
      if (event.room === room.id && (event.kind === "pin" || event.kind === "unpin")) load();
    });
  }, [room]);

  function show(seq: Seq): void {
    // On a phone it would lie over what is to be seen.
    if (isNarrow()) side.value = undefined;
    void seek(room, seq);
  }

  return (
    <SidePane title={strings.pins.title} testid="pins">
      <div class="details-body">
        {pins === undefined && <p class="muted">{strings.common.loading}</p>}
        {pins?.length === 0 && <p class="muted">{strings.pins.none}</p>}
        <ul class="found">
          {pins?.map(({ message, user }) => (
            <li key={message.seq}>
              <button type="button" class="found-message" data-testid="pinned-message" onClick={() => show(message.seq)}>
                <Avatar user={message.user} small />
                <span class="found-head">
                  <strong>{nameOf(message.user)}</strong>
                  <time dateTime={message.at} title={fullTime(message.at)}>{shortTime(message.at)}</time>
                </span>
                <span class="found-text">{gist(message)}</span>
                <span class="muted">{strings.pins.by(nameOf(user))}</span>
              </button>
            </li>
          ))}
        </ul>
      </div>
    </SidePane>
  );
}
