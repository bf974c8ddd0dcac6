/** One's own settings: profile, appearance, password, and where one is logged in. */

import { useEffect, useState } from "preact/hooks";
import { type Block, limits, type Session } from "@chatx/sdk";
import { closeDialog } from "../state/dialogs";
import { nameOf } from "../state/names";
import { possible, want, type Wanted, wanted } from "../state/notifications";
import { theme } from "../state/preferences";
import { api, chat, me, updateMe } from "../state/session";
import { dayName, clockTime } from "../state/times";
import { attempt, toast } from "../state/toasts";
import { strings } from "../strings";
import { Avatar } from "./avatar";
import { Dialog } from "./dialog";
import { Field, Problem, Submit, useForm } from "./form";
import { Icon } from "./icons";

export function Settings() {
  return (
    <Dialog title={strings.settings.title} onClose={closeDialog} wide>
      <Profile />
      <Appearance />
      <Notifications />
      <Privacy />
      <Password />
      <Sessions />
      <footer>
        <button
          type="button"
          class="button"
          data-testid="logout"
          onClick={() => void attempt(() => chat.logOut()).then((done) => done && closeDialog())}
        >
          <Icon name="leave" />
          {strings.auth.logOut}
        </button>
      </footer>
    </Dialog>
  );
}

function Profile() {
  const user = me.value;
  const form = useForm(async (data) => {
    await updateMe({
      display_name: String(data.get("display_name")).trim(),
      status: String(data.get("status")).trim(),
      bio: String(data.get("bio")).trim(),
    });
    toast(strings.settings.saved);
  });
  if (user === undefined) return null;
  return (
    <form class="setting" onSubmit={form.onSubmit} noValidate>
      <h3>{strings.settings.profile}</h3>
      <p class="muted">@{user.username}{user.email !== undefined && ` · ${user.email}`}</p>
      <Field form={form} name="display_name" label={strings.auth.displayName} value={user.display_name} maxLength={limits.displayNameMax} />
      <Field form={form} name="status" label={strings.settings.statusLine} value={user.status ?? ""} hint={strings.settings.statusHint} optional />
      <Field form={form} name="bio" label={strings.settings.bio} value={user.bio ?? ""} optional multiline />
      <Problem form={form} />
      <Submit form={form}>{strings.settings.save}</Submit>
    </form>
  );
}

function Appearance() {
  return (
    <fieldset class="setting segments">
      <legend>{strings.settings.appearance}</legend>
      {(["system", "light", "dark"] as const).map((choice) => (
        <label key={choice}>
          <input type="radio" name="theme" checked={theme.value === choice} onChange={() => (theme.value = choice)} />
          <span>{strings.themes[choice]}</span>
        </label>
      ))}
    </fieldset>
  );
}

function Notifications() {
  if (!possible) return null;
  async function choose(next: Wanted): Promise<void> {
    if (!(await want(next))) toast(strings.notifications.refused, "bad");
  }
  return (
    <section class="setting">
      <fieldset class="segments">
        <legend>{strings.notifications.heading}</legend>
        {(["off", "personal", "all"] as const).map((choice) => (
          <label key={choice}>
            <input type="radio" name="notifications" checked={wanted.value === choice} onChange={() => void choose(choice)} />
            <span>{strings.notifications.wanted[choice]}</span>
          </label>
        ))}
      </fieldset>
      <p class="hint">{strings.notifications.text}</p>
    </section>
  );
}

/** What others see, and whom one does not want to hear. */
function Privacy() {
  const [blocked, setBlocked] = useState<readonly Block[]>();
  const load = () => void attempt(async () => setBlocked(await api.blocks()));
  const shows = me.value?.shows_reads ?? true;
  return (
    <section class="setting">
      <label class="check">
        <input type="checkbox" checked={shows} onChange={(event) => void attempt(() => updateMe({ shows_reads: event.currentTarget.checked }))} />
        {strings.settings.reading}
      </label>
      <details class="bans" onToggle={(event) => event.currentTarget.open && load()}>
        <summary>{strings.settings.blocked}</summary>
        {blocked?.length === 0 && <p class="muted">{strings.settings.noneBlocked}</p>}
        <ul class="members">
          {blocked?.map(({ user }) => (
            <li key={user.id} class="member">
              <Avatar user={user} small />
              <span class="member-name">{nameOf(user)}</span>
              <button type="button" class="link" onClick={() => void attempt(() => api.unblock(user.id)).then(load)}>{strings.settings.unblock}</button>
            </li>
          ))}
        </ul>
      </details>
    </section>
  );
}

function Password() {
  const form = useForm(
    async (data, element) => {
      await api.changePassword(String(data.get("current")), String(data.get("new")));
      element.reset();
      toast(strings.settings.changed);
    },
    { invalid_credentials: "current", wrong_password: "current" },
    { invalid_credentials: strings.settings.wrongCurrent, wrong_password: strings.settings.wrongCurrent },
  );
  return (
    <form class="setting" onSubmit={form.onSubmit} noValidate>
      <h3>{strings.settings.password}</h3>
      <Field form={form} name="current" label={strings.settings.current} type="password" autocomplete="current-password" />
      <Field form={form} name="new" label={strings.settings.next} type="password" hint={strings.auth.passwordHint} autocomplete="new-password" />
      <Problem form={form} />
      <Submit form={form}>{strings.settings.change}</Submit>
    </form>
  );
}

function Sessions() {
  const [sessions, setSessions] = useState<readonly Session[]>();
  const load = () => attempt(async () => setSessions(await api.sessions()));
  useEffect(() => void load(), []);
  return (
    <section class="setting">
      <h3>{strings.settings.sessions}</h3>
      <ul class="sessions" data-testid="sessions">
        {sessions?.map((session) => (
          <li key={session.id}>
            <div>
              <strong>{session.device || strings.settings.unknownDevice}</strong>
              <p class="muted">
                {session.ip && `${session.ip} · `}
                {strings.settings.lastSeen(`${dayName(session.last_seen_at)}, ${clockTime(session.last_seen_at)}`)}
              </p>
            </div>
            {session.current ? (
              <span class="tag accent">{strings.settings.thisSession}</span>
            ) : (
              <button type="button" class="link" onClick={() => void attempt(() => api.revokeSession(session.id)).then(load)}>
                {strings.settings.revoke}
              </button>
            )}
          </li>
        ))}
      </ul>
      {(sessions?.length ?? 0) > 1 && (
        <button type="button" class="button" onClick={() => void attempt(() => api.revokeOtherSessions()).then(load)}>
          {strings.settings.revokeOthers}
        </button>
      )}
    </section>
  );
}
