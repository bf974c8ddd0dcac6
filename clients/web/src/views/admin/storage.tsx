/** How much the server keeps, and where it lies. */

import { api } from "../../state/session";
import { bytesText } from "../../state/sizes";
import { strings } from "../../strings";
import { Loaded, useAnswer } from "../loaded";

const words = strings.admin.storage;

export function Storage() {
  const use = useAnswer(() => api.storageUse());
  return (
    <Loaded of={use}>
      {(now) => (
        <div data-testid="storage">
          <dl class="figures">
            <Figure name={words.database} value={bytesText(now.database_bytes)} more={words.engines[now.engine]} />
            {now.files !== undefined && <Figure name={words.files} value={bytesText(now.files_bytes ?? 0)} more={words.count(now.files)} />}
            <Figure name={words.messages} value={now.messages.toLocaleString()} more={words.events(now.events)} />
            <Figure name={words.users} value={now.users.toLocaleString()} />
            <Figure name={words.rooms} value={now.rooms.toLocaleString()} more={now.deleted_rooms > 0 ? words.deleted(now.deleted_rooms) : undefined} />
          </dl>
          <h3 class="above-rows">{words.largest}</h3>
          <ul class="rows">
            {now.largest.map((room) => (
              <li key={room.room} class="row">
                <div class="row-text">
                  <strong>{room.name || strings.rooms.direct}</strong>
                  <p class="muted">
                    {[strings.visibility[room.visibility], strings.rooms.members(room.members), words.events(room.events),
                      strings.admin.rooms.messages(room.messages), ...(room.files_bytes ? [words.inFiles(bytesText(room.files_bytes))] : [])].join(" · ")}
                  </p>
                </div>
              </li>
            ))}
          </ul>
        </div>
      )}
    </Loaded>
  );
}

function Figure({ name, value, more }: { name: string; value: string; more?: string | undefined }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        <strong>{value}</strong>
        {more !== undefined && <span class="muted">{more}</span>}
      </dd>
    </div>
  );
}
