/** What others see of one, and whom one does not want to hear. */

import { nameOf } from "../../state/names";
import { api, me, updateMe } from "../../state/session";
import { attempt } from "../../state/toasts";
import { strings } from "../../strings";
import { Avatar } from "../avatar";
import { Loaded, useAnswer } from "../loaded";

export function Privacy() {
  const blocked = useAnswer(() => api.blocks());
  const shows = me.value?.shows_reads ?? true;
  return (
    <>
      <section class="setting">
        <label class="check">
          <input type="checkbox" checked={shows} data-testid="shows-reads"
            onChange={(event) => void attempt(() => updateMe({ shows_reads: event.currentTarget.checked }))} />
          {strings.settings.reading}
        </label>
        <p class="hint">{strings.settings.readingText}</p>
      </section>
      <section class="setting">
        <h3>{strings.settings.blocked}</h3>
        <Loaded of={blocked}>
          {(blocks) => blocks.length === 0 ? <p class="muted">{strings.settings.noneBlocked}</p> : (
            <ul class="members">
              {blocks.map(({ user }) => (
                <li key={user.id} class="member">
                  <Avatar user={user} small />
                  <span class="member-name">{nameOf(user)}</span>
                  <button type="button" class="link" onClick={() => void attempt(() => api.unblock(user.id)).then(() => blocked.reload())}>
                    {strings.settings.unblock}
                  </button>
                </li>
              ))}
            </ul>
          )}
        </Loaded>
      </section>
    </>
  );
}
