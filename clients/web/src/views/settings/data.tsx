/** What the server keeps of one: rooms that one has deleted. */

import type { DeletedRoom } from "@chatx/sdk";
import { loadRooms } from "../../state/chat";
import { go, paths } from "../../state/router";
import { api } from "../../state/session";
import { moment } from "../../state/times";
import { attempt } from "../../state/toasts";
import { strings } from "../../strings";
import { RoomMark } from "../avatar";
import { Loaded, useAnswer } from "../loaded";

export function Data() {
  return <DeletedRooms />;
}

function DeletedRooms() {
  const deleted = useAnswer(() => api.deletedRooms());
  const restore = ({ room }: DeletedRoom) => attempt(async () => {
    await api.restoreRoom(room.id);
    await loadRooms();
    go(paths.room(room.id));
  });
  return (
    <section class="setting">
      <h3>{strings.settings.deletedRooms}</h3>
      <p class="muted">{strings.settings.deletedRoomsText}</p>
      <Loaded of={deleted}>
        {(all) => all.length === 0 ? <p class="muted">{strings.settings.noneDeleted}</p> : (
          <ul class="rows" data-testid="deleted-rooms">
            {all.map((one) => (
              <li key={one.room.id} class="row">
                <RoomMark room={one.room} />
                <div class="row-text">
                  <strong>{one.room.name}</strong>
                  <p class="muted">{strings.settings.restorableUntil(moment(one.restorable_until))}</p>
                </div>
                <button type="button" class="button" data-testid="restore" onClick={() => void restore(one)}>{strings.settings.restore}</button>
              </li>
            ))}
          </ul>
        )}
      </Loaded>
    </section>
  );
}
