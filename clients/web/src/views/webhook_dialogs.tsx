/** Making a webhook, and sending it again what it was sent before. */

import type { Id, Webhook } from "@chatx/sdk";
import { roomList } from "../state/chat";
import { roomTitle } from "../state/names";
import { atLeast } from "../state/permissions";
import type { RoomState } from "../state/room";
import { api } from "../state/session";
import { toast } from "../state/toasts";
import { strings } from "../strings";
import { Dialog } from "./dialog";
import { Choice, Field, Problem, Submit, useForm } from "./form";

const words = strings.webhooks;

interface NewWebhookProps {
  /** Whose log it carries; one chooses where it is not said. */
  room: RoomState | undefined;
  onMade(webhook: Webhook): void;
  onClose(): void;
}

export function NewWebhook({ room, onMade, onClose }: NewWebhookProps) {
  const offered = room === undefined ? roomList.value.filter(({ info }) => info.value.visibility !== "direct" && atLeast(info.value.role, "admin")) : [];
  const form = useForm(async (data) => {
    const kinds = data.getAll("kinds").map(String);
    onMade(await api.createWebhook({
      url: String(data.get("url")).trim(),
      rooms: room === undefined ? data.getAll("rooms").map(String) : [room.id],
      ...(kinds.length === 0 ? {} : { kinds }),
    }));
  });
  return (
    <Dialog title={words.make} onClose={onClose} wide>
      <form onSubmit={form.onSubmit} noValidate>
        <Field form={form} name="url" label={words.address} hint={words.addressHint} testid="webhook-url" autofocus />
        {room === undefined && (
          <fieldset class="options">
            <legend>{words.rooms}</legend>
            {offered.length === 0 && <p class="muted">{words.noRooms}</p>}
            {offered.map((one) => (
              <label key={one.id} class="check">
                <input type="checkbox" name="rooms" value={one.id} data-testid="webhook-room" />
                {roomTitle(one)}
              </label>
            ))}
            {form.error("rooms") !== undefined && <p class="error">{form.error("rooms")}</p>}
          </fieldset>
        )}
        <fieldset class="options columns">
          <legend>{words.kinds}</legend>
          {Object.entries(words.kindNames).map(([kind, name]) => (
            <label key={kind} class="check">
              <input type="checkbox" name="kinds" value={kind} />
              {name}
            </label>
          ))}
          <p class="hint">{words.kindsHint}</p>
        </fieldset>
        <Problem form={form} />
        <footer>
          <button type="button" class="button" onClick={onClose}>{strings.common.cancel}</button>
          <Submit form={form}>{words.make}</Submit>
        </footer>
      </form>
    </Dialog>
  );
}

interface ReplayProps {
  webhook: Webhook;
  titleOf(room: Id): string;
  onClose(): void;
  onChange(): void;
}

export function Replay({ webhook, titleOf, onClose, onChange }: ReplayProps) {
  const form = useForm(async (data) => {
    await api.replayWebhook(webhook.id, String(data.get("room")), Number(data.get("after")));
    onClose();
    onChange();
    toast(words.replayed);
  });
  return (
    <Dialog title={words.replayTitle} onClose={onClose}>
      <form onSubmit={form.onSubmit} noValidate>
        <p class="muted">{words.replayText}</p>
        <Choice name="room" label={words.replayRoom} choices={webhook.rooms.map(({ room }) => [room, titleOf(room)])} />
        <Field form={form} name="after" label={words.replayAfter} value="0" testid="replay-after" />
        <Problem form={form} />
        <footer>
          <button type="button" class="button" onClick={onClose}>{strings.common.cancel}</button>
          <Submit form={form}>{words.replay}</Submit>
        </footer>
      </form>
    </Dialog>
  );
}
