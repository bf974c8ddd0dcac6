/** What carries the logs of rooms elsewhere, how it fares, and what to do where it fails: one's own, or those of a room. */

import { useState } from "preact/hooks";
import type { Webhook } from "@chatx/sdk";
import { rooms } from "../state/chat";
import { roomTitle } from "../state/names";
import type { RoomState } from "../state/room";
import { api } from "../state/session";
import { moment } from "../state/times";
import { attempt } from "../state/toasts";
import { strings } from "../strings";
import { Copied } from "./copied";
import { Confirm } from "./dialog";
import { Loaded, useAnswer, useRefreshed } from "./loaded";
import { Menu, MenuItem } from "./menu";
import { NewWebhook, Replay } from "./webhook_dialogs";

const words = strings.webhooks;

export function Webhooks({ room }: { room?: RoomState }) {
  const webhooks = useAnswer(() => api.webhooks(room?.id), room?.id);
  useRefreshed(webhooks);
  const [fresh, setFresh] = useState<Webhook>();
  const [making, setMaking] = useState(false);
  const made = (webhook: Webhook) => {
    setFresh(webhook);
    setMaking(false);
    void webhooks.reload();
  };
  return (
    <>
      <p class="muted">{words.text}</p>
      <Loaded of={webhooks}>
        {(all) => all.length === 0 ? <p class="muted">{words.none}</p> : (
          <ul class="rows" data-testid="webhooks">
            {all.map((webhook) => <Row key={webhook.id} webhook={webhook} onChange={() => void webhooks.reload()} />)}
          </ul>
        )}
      </Loaded>
      {fresh?.secret !== undefined && <Copied label={words.secret} text={fresh.secret} hint={words.secretOnce} testid="webhook-secret" />}
      <button type="button" class="button" data-testid="new-webhook" onClick={() => setMaking(true)}>{words.make}</button>
      {making && <NewWebhook room={room} onMade={made} onClose={() => setMaking(false)} />}
    </>
  );
}

function Row({ webhook, onChange }: { webhook: Webhook; onChange(): void }) {
  const [asking, setAsking] = useState<"replay" | "delete">();
  const { state } = webhook;
  const turn = (enabled: boolean) => void attempt(() => api.updateWebhook(webhook.id, { enabled })).then(onChange);
  const facts = [
    webhook.delivered_at ? words.delivered(moment(webhook.delivered_at)) : words.never,
    ...(state !== "active" && webhook.failing_since ? [words.failing(moment(webhook.failing_since))] : []),
    ...(state === "retrying" && webhook.next_attempt_at ? [words.next(moment(webhook.next_attempt_at))] : []),
  ];
  return (
    <li class="row" data-testid="webhook" data-state={state}>
      <div class="row-text">
        <strong>
          {webhook.url}
          <span class={state === "active" ? "tag accent" : state === "disabled" ? "tag bad" : "tag"}>{words.states[state]}</span>
        </strong>
        <p class="muted">{webhook.rooms.map(({ room, seq, head }) => words.behind(titleOf(room), head - seq)).join(", ")}</p>
        <p class="muted">{facts.join(" · ")}</p>
        {webhook.last_error && state !== "active" && <p class="error">{words.error(webhook.last_error)}</p>}
      </div>
      {!webhook.enabled && <button type="button" class="button" data-testid="enable" onClick={() => turn(true)}>{words.enable}</button>}
      <Menu label={strings.details.actions(webhook.url)} testid="webhook-actions">
        {() => (
          <>
            <MenuItem icon="retry" testid="replay" onChoose={() => setAsking("replay")}>{words.replay}</MenuItem>
            {webhook.enabled && <MenuItem icon="block" testid="disable" onChoose={() => turn(false)}>{words.disable}</MenuItem>}
            <MenuItem icon="trash" bad testid="delete-webhook" onChoose={() => setAsking("delete")}>{words.delete}</MenuItem>
          </>
        )}
      </Menu>
      {asking === "replay" && <Replay webhook={webhook} titleOf={titleOf} onClose={() => setAsking(undefined)} onChange={onChange} />}
      {asking === "delete" && (
        <Confirm title={words.deleteTitle} text={words.deleteText} action={words.delete} onClose={() => setAsking(undefined)}
          onConfirm={() => attempt(() => api.deleteWebhook(webhook.id)).then(onChange)} />
      )}
    </li>
  );
}

function titleOf(id: string): string {
  const room = rooms.value.get(id);
  return room === undefined ? words.unknownRoom : roomTitle(room);
}
