/** What the server keeps of one: taking it along, rooms that one has deleted, and leaving for good. */

import { useState } from "preact/hooks";
import type { DeletedRoom } from "@chatx/sdk";
import { loadRooms } from "../../state/chat";
import { go, paths } from "../../state/router";
import { api, chat, me } from "../../state/session";
import { moment } from "../../state/times";
import { attempt, toast } from "../../state/toasts";
import { strings } from "../../strings";
import { RoomMark } from "../avatar";
import { AccountName, Field, Problem, useForm } from "../form";
import { Loaded, useAnswer } from "../loaded";

export function Data() {
  return (
    <>
      <Export />
      <DeletedRooms />
      <CloseAccount />
    </>
  );
}

function Export() {
  /** A download cannot renew the session, so that is done before. */
  const download = () => attempt(async () => {
    await api.me();
    const link = document.createElement("a");
    link.href = "/v1/users/me/export";
    link.download = "chatx-export.zip";
    link.click();
  });
  return (
    <section class="setting">
      <h3>{strings.settings.exporting}</h3>
      <p class="muted">{strings.settings.exportText}</p>
      <button type="button" class="button" data-testid="export" onClick={() => void download()}>{strings.settings.export}</button>
    </section>
  );
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

function CloseAccount() {
  const [asked, setAsked] = useState(false);
  const [typed, setTyped] = useState("");
  const user = me.value;
  const form = useForm(
    async (data) => {
      await chat.erase(user?.has_password === false ? undefined : String(data.get("password")));
      toast(strings.settings.closed);
    },
    { invalid_credentials: "password", wrong_password: "password" },
    { invalid_credentials: strings.settings.wrongCurrent, wrong_password: strings.settings.wrongCurrent, unauthenticated: strings.settings.logInAgain },
  );
  if (user === undefined) return null;
  return (
    <section class="setting">
      <h3>{strings.settings.closing}</h3>
      <p class="muted">{strings.settings.closeText}</p>
      {!asked ? (
        <button type="button" class="button bad" data-testid="close-account" onClick={() => setAsked(true)}>{strings.settings.close}</button>
      ) : (
        <form onSubmit={form.onSubmit} noValidate data-testid="close-form">
          <label class="field">
            <span>{strings.roomSettings.deleteConfirm(user.username)}</span>
            <span class="input">
              <input value={typed} autocomplete="off" autocapitalize="none" spellcheck={false} data-testid="close-confirm"
                onInput={(event) => setTyped(event.currentTarget.value)} />
            </span>
          </label>
          {user.has_password !== false && <AccountName />}
          {user.has_password !== false && (
            <Field form={form} name="password" label={strings.settings.current} type="password" testid="close-password" autocomplete="current-password" />
          )}
          <Problem form={form} />
          <button type="submit" class="button danger" disabled={typed.trim() !== user.username || form.busy} data-testid="close-submit">{strings.settings.close}</button>
        </form>
      )}
    </section>
  );
}
