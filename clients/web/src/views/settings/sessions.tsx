/** Where one is logged in. */

import { api } from "../../state/session";
import { moment } from "../../state/times";
import { attempt } from "../../state/toasts";
import { strings } from "../../strings";
import { Loaded, useAnswer } from "../loaded";

export function Sessions() {
  const sessions = useAnswer(() => api.sessions());
  const end = (which: () => Promise<void>) => void attempt(which).then(() => sessions.reload());
  return (
    <section class="setting">
      <p class="muted">{strings.settings.sessionsText}</p>
      <Loaded of={sessions}>
        {(all) => (
          <>
            <ul class="rows" data-testid="sessions">
              {all.map((session) => (
                <li key={session.id} class="row">
                  <div class="row-text">
                    <strong>{session.device || strings.settings.unknownDevice}</strong>
                    <p class="muted">
                      {session.ip && `${session.ip} · `}
                      {strings.settings.lastSeen(moment(session.last_seen_at))}
                    </p>
                  </div>
                  {session.current ? (
                    <span class="tag accent">{strings.settings.thisSession}</span>
                  ) : (
                    <button type="button" class="link" data-testid="revoke" onClick={() => end(() => api.revokeSession(session.id))}>
                      {strings.settings.revoke}
                    </button>
                  )}
                </li>
              ))}
            </ul>
            {all.length > 1 && (
              <button type="button" class="button" data-testid="revoke-others" onClick={() => end(() => api.revokeOtherSessions())}>
                {strings.settings.revokeOthers}
              </button>
            )}
          </>
        )}
      </Loaded>
    </section>
  );
}
