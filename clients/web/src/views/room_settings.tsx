/** Changing a room, and deleting it. */

import { useState } from "preact/hooks";
import { limits, type RoomChanges, type Visibility } from "@chatx/sdk";
import { deleteRoom, updateRoom } from "../state/actions";
import { closeDialog } from "../state/dialogs";
import { mayDeleteRoom } from "../state/permissions";
import type { RoomState } from "../state/room";
import { toast } from "../state/toasts";
import { strings } from "../strings";
import { Field, Problem, useForm } from "./form";
import { FormDialog } from "./form_dialog";
import { VisibilityChoice } from "./room_dialogs";

export function RoomSettings({ room }: { room: RoomState }) {
  const [before] = useState(room.info.value);
  const [visibility, setVisibility] = useState(before.visibility);
  const [removePassword, setRemovePassword] = useState(false);
  const form = useForm(
    async (data) => {
      const changes = changed(data, visibility, removePassword);
      if (Object.keys(changes).length > 0) await updateRoom(room, changes);
      toast(strings.roomSettings.saved);
      closeDialog();
    },
    { name_taken: "name" },
  );

  /** Only what is new is sent: what somebody else changes meanwhile stays theirs. */
  function changed(data: FormData, next: Visibility, withoutPassword: boolean): RoomChanges {
    const fields: RoomChanges = {};
    const name = String(data.get("name")).trim();
    const topic = String(data.get("topic")).trim();
    const password = String(data.get("password") ?? "");
    if (name !== before.name) fields.name = name;
    if (topic !== (before.topic ?? "")) fields.topic = topic;
    if (next !== before.visibility && next !== "direct") fields.visibility = next;
    if (password !== "") fields.password = password;
    else if (before.has_password && (withoutPassword || next !== "private")) fields.password = null;
    return fields;
  }

  return (
    <FormDialog
      title={strings.roomSettings.title}
      form={form}
      action={strings.roomSettings.save}
      below={mayDeleteRoom(before.role) && <DeleteRoom room={room} />}
    >
      <Field form={form} name="name" label={strings.rooms.name} value={before.name} maxLength={limits.roomNameMax} testid="settings-name" />
      <Field form={form} name="topic" label={strings.rooms.topic} value={before.topic ?? ""} maxLength={limits.topicMax} multiline />
      <VisibilityChoice value={visibility} onChange={setVisibility} />
      {visibility === "private" && !removePassword && (
        <Field form={form} name="password" label={strings.rooms.password} type="password" autocomplete="new-password"
          hint={before.has_password ? strings.roomSettings.hasPassword : strings.rooms.passwordCreateHint} />
      )}
      {visibility === "private" && before.has_password && (
        <label class="check">
          <input type="checkbox" checked={removePassword} onChange={(event) => setRemovePassword(event.currentTarget.checked)} />
          {strings.roomSettings.removePassword}
        </label>
      )}
    </FormDialog>
  );
}

function DeleteRoom({ room }: { room: RoomState }) {
  const [typed, setTyped] = useState("");
  const [asked, setAsked] = useState(false);
  const name = room.info.value.name;
  const form = useForm(async () => {
    await deleteRoom(room.id);
    closeDialog();
  });
  return (
    <section class="danger-zone">
      <div>
        <h3>{strings.roomSettings.danger}</h3>
        <p class="muted">{strings.roomSettings.dangerText}</p>
      </div>
      {!asked ? (
        <button type="button" class="button" data-testid="delete-room" onClick={() => setAsked(true)}>{strings.roomSettings.delete}</button>
      ) : (
        <form onSubmit={form.onSubmit} noValidate>
          <label class="field">
            <span>{strings.roomSettings.deleteConfirm(name)}</span>
            <span class="input">
              <input value={typed} autocomplete="off" data-testid="delete-confirm" onInput={(event) => setTyped(event.currentTarget.value)} />
            </span>
          </label>
          <Problem form={form} />
          <button type="submit" class="button danger" disabled={typed.trim() !== name || form.busy}>{strings.roomSettings.delete}</button>
        </form>
      )}
    </section>
  );
}
