/** The ways into a room for tools that can only post. */

import { useState } from "preact/hooks";
import type { Hook } from "@chatx/sdk";
import { knownName } from "../state/people";
import type { RoomState } from "../state/room";
import { api } from "../state/session";
import { moment } from "../state/times";
import { attempt } from "../state/toasts";
import { strings } from "../strings";
import { Avatar } from "./avatar";
import { Copied } from "./copied";
import { Confirm } from "./dialog";
import { Field, Problem, useForm } from "./form";
import { Loaded, useAnswer } from "./loaded";

const words = strings.hooks;

export function Hooks({ room }: { room: RoomState }) {
  const hooks = useAnswer(() => api.hooks(room.id), room.id);
  const [fresh, setFresh] = useState<Hook>();
  const [deleting, setDeleting] = useState<Hook>();
  const form = useForm(async (data, element) => {
    setFresh(await api.createHook(room.id, String(data.get("name")).trim()));
    element.reset();
    await hooks.reload();
  });
  return (
    <>
      <p class="muted">{words.text}</p>
      <Loaded of={hooks}>
        {(all) => all.length === 0 ? <p class="muted">{words.none}</p> : (
          <ul class="rows" data-testid="hooks">
            {all.map((hook) => (
              <li key={hook.id} class="row" data-testid="hook">
                <Avatar user={hook.user} />
                <div class="row-text">
                  <strong>{hook.name}</strong>
                  <p class="muted">{words.by(hook.by ? knownName(hook.by) : strings.admin.audit.unknown, moment(hook.created_at))}</p>
                </div>
                <button type="button" class="link" data-testid="delete-hook" onClick={() => setDeleting(hook)}>{words.delete}</button>
              </li>
            ))}
          </ul>
        )}
      </Loaded>
      {fresh?.url !== undefined && <Copied label={words.address} text={fresh.url} hint={words.addressOnce} testid="hook-url" />}
      <form class="filter" onSubmit={form.onSubmit} noValidate>
        <Field form={form} name="name" label={words.name} testid="hook-name" />
        <button type="submit" class="button" disabled={form.busy} data-testid="new-hook">{words.make}</button>
        <Problem form={form} />
      </form>
      {deleting !== undefined && (
        <Confirm title={words.deleteTitle(deleting.name)} text={words.deleteText} action={words.delete} onClose={() => setDeleting(undefined)}
          onConfirm={() => attempt(() => api.deleteHook(room.id, deleting.id)).then(() => hooks.reload())} />
      )}
    </>
  );
}
