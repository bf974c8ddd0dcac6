/** Somebody, as they show themselves, and the way to talk with them. */

import type { UserRef } from "@chatx/sdk";
import { talkTo } from "../state/actions";
import { closeDialog, dialog } from "../state/dialogs";
import { nameOf } from "../state/names";
import { profileOf, statusOf } from "../state/people";
import { paths } from "../state/router";
import { me } from "../state/session";
import { dayText } from "../state/times";
import { attempt } from "../state/toasts";
import { strings } from "../strings";
import { Avatar } from "./avatar";
import { Dialog } from "./dialog";
import { Icon } from "./icons";
import { Loaded, useAnswer } from "./loaded";

export function showPerson(user: UserRef): void {
  dialog.value = { kind: "person", user };
}

export function Person({ user }: { user: UserRef }) {
  const profile = useAnswer(() => profileOf(user.id), user.id);
  const texts = strings.person;
  const self = user.id === me.value?.id;
  const status = statusOf(user.id, profile.value?.status ?? "");
  const presence = profile.value?.presence ?? undefined;
  return (
    <Dialog title={nameOf(user)} onClose={closeDialog}>
      <div class="profile" data-testid="person">
        <div class="person-head">
          <Avatar user={user} state={presence} />
          <div class="row-text">
            <p class="muted">@{user.username}{presence !== undefined && ` · ${strings.presence[presence]}`}</p>
            {profile.value?.bot === true && <span class="tag">{texts.bot}</span>}
          </div>
        </div>
        {status !== "" && <p class="profile-status" data-testid="person-status">{status}</p>}
        <Loaded of={profile}>
          {({ bio, created_at }) => (
            <>
              {bio != null && bio !== "" && <p class="profile-bio">{bio}</p>}
              {created_at !== undefined && <p class="hint">{texts.since(dayText(created_at))}</p>}
            </>
          )}
        </Loaded>
        <footer>
          {self ? (
            <a class="button" href={paths.settings("profile")} onClick={closeDialog}>
              <Icon name="edit" />
              {texts.edit}
            </a>
          ) : (
            <button type="button" class="button primary" data-testid="person-message"
              onClick={() => void attempt(() => talkTo([user.id])).then((done) => done && closeDialog())}>
              <Icon name="message" />
              {strings.details.message}
            </button>
          )}
        </footer>
      </div>
    </Dialog>
  );
}
