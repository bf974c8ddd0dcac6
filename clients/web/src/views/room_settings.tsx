/** Changing a room, closing it for writing, and deleting it. */

import { useState } from "preact/hooks";
import { limits, type RoomChanges, type Visibility } from "@chatx/sdk";
import { deleteRoom, updateRoom } from "../state/actions";
import { closeDialog } from "../state/dialogs";
import { mayChangeRoom, mayDeleteRoom } from "../state/permissions";
import type { RoomState } from "../state/room";
import { attempt, toast } from "../state/toasts";
import { strings } from "../strings";
import { Choice, Field, Problem, useForm } from "./form";
import { FormDialog } from "./form_dialog";
import { VisibilityChoice } from "./room_dialogs";

const slowest = [5, 10, 30, 60, 300, 900, 3_600] as const;

export function RoomSettings({ room }: { room: RoomState }) {
  const [before] = useState(room.info.value);
  const [visibility, setVisibility] = useState(before.visibility);
  const [removePassword, setRemovePassword] = useState(false);
  const texts = strings.roomSettings;
  const arranges = mayChangeRoom(before.role);
  const form = useForm(
    async (data) => {
      const changes = changed(data, visibility, removePassword);
      if (Object.keys(changes).length > 0) await updateRoom(room, changes);
      toast(texts.saved);
      closeDialog();
    },
    { name_taken: "name" },
  );

  /** Only what is new is sent: what somebody else changes meanwhile stays theirs. */
  function changed(data: FormData, next: Visibility, withoutPassword: boolean): RoomChanges {
    const fields: RoomChanges = {};
    const slow = Number(data.get("slow_mode_s"));
    if (slow !== (before.slow_mode_s ?? 0)) fields.slow_mode_s = slow;
    if (!arranges) return fields;
    const name = String(data.get("name")).trim();
    const topic = String(data.get("topic")).trim();
    const password = String(data.get("password") ?? "");
    const history = data.get("history") === "since_join" ? "since_join" : "all";
    const most = Number(data.get("max_members"));
    if (name !== before.name) fields.name = name;
    if (topic !== (before.topic ?? "")) fields.topic = topic;
    if (next !== before.visibility && next !== "direct") fields.visibility = next;
    if (history !== (before.history ?? "all")) fields.history = history;
    if (most !== (before.max_members ?? most)) fields.max_members = most;
    if (password !== "") fields.password = password;
    else if (before.has_password && (withoutPassword || next !== "private")) fields.password = null;
    return fields;
  }

  const own = mayDeleteRoom(before.role) && <><Archive room={room} /><DeleteRoom room={room} /></>;
  return (
    <FormDialog title={texts.title} form={form} action={texts.save} below={own}>
      {arranges && (
        <>
          <Field form={form} name="name" label={strings.rooms.name} value={before.name} maxLength={limits.roomNameMax} testid="settings-name" />
          <Field form={form} name="topic" label={strings.rooms.topic} value={before.topic ?? ""} maxLength={limits.topicMax} multiline />
          <VisibilityChoice value={visibility} onChange={setVisibility} />
        </>
      )}
      {arranges && visibility === "private" && !removePassword && (
        <Field form={form} name="password" label={strings.rooms.password} type="password" autocomplete="new-password"
          hint={before.has_password ? texts.hasPassword : strings.rooms.passwordCreateHint} />
      )}
      {arranges && visibility === "private" && before.has_password && (
        <label class="check">
          <input type="checkbox" checked={removePassword} onChange={(event) => setRemovePassword(event.currentTarget.checked)} />
          {texts.removePassword}
        </label>
      )}
      {arranges && (
        <>
          <Choice name="history" label={texts.history} value={before.history ?? "all"} testid="history"
            choices={[["all", texts.histories.all], ["since_join", texts.histories.since_join]]} />
          <Field form={form} name="max_members" label={texts.capacity} value={String(before.max_members ?? "")} testid="capacity" />
        </>
      )}
      <SlowMode now={before.slow_mode_s ?? 0} />
    </FormDialog>
  );
}

/** What is set may be none of those that are offered: another client set it. */
function SlowMode({ now }: { now: number }) {
  const texts = strings.roomSettings;
  const offered: [string, string][] = slowest.map((seconds) => [String(seconds), texts.everySo(strings.durations[seconds])]);
  if (now > 0 && !offered.some(([seconds]) => seconds === String(now))) offered.push([String(now), texts.everySo(`${now} s`)]);
  return (
    <>
      <Choice name="slow_mode_s" label={texts.slowMode} value={String(now)} testid="slow-mode" choices={[["0", texts.noSlowMode], ...offered]} />
      <p class="hint">{texts.slowModeHint}</p>
    </>
  );
}

function Archive({ room }: { room: RoomState }) {
  const [busy, setBusy] = useState(false);
  const texts = strings.roomSettings;
  const archived = room.info.value.archived_at != null;
  async function change(): Promise<void> {
    setBusy(true);
    const done = await attempt(() => updateRoom(room, { archived: !archived }));
    setBusy(false);
    if (done) closeDialog();
  }
  return (
    <section class="danger-zone">
      <div>
        <h3>{archived ? texts.reopen : texts.archive}</h3>
        <p class="muted">{archived ? texts.reopenText : texts.archiveText}</p>
      </div>
      <button type="button" class="button plain" data-testid="archive" disabled={busy} onClick={() => void change()}>
        {archived ? texts.reopenAction : texts.archiveAction}
      </button>
    </section>
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
