/** One bot: its tokens, the rooms it is taken into, and its end. */

import { useState } from "preact/hooks";
import type { Bot, BotToken, Scope } from "@chatx/sdk";
import { roomList } from "../../state/chat";
import { nameOf, roomTitle } from "../../state/names";
import { api } from "../../state/session";
import { moment } from "../../state/times";
import { attempt, toast } from "../../state/toasts";
import { strings } from "../../strings";
import { Copied } from "../copied";
import { Confirm, Dialog } from "../dialog";
import { Choice, Field, Problem, Submit, useForm } from "../form";
import { Loaded, useAnswer } from "../loaded";

const words = strings.bots;

export function BotDialog({ bot, onClose, onDeleted }: { bot: Bot; onClose(): void; onDeleted(): void }) {
  const [deleting, setDeleting] = useState(false);
  return (
    <Dialog title={nameOf(bot)} onClose={onClose} wide>
      <p class="muted">@{bot.username}{bot.bio && ` · ${bot.bio}`}</p>
      <Tokens bot={bot} />
      <Rooms bot={bot} />
      <section class="part">
        <button type="button" class="button bad" data-testid="delete-bot" onClick={() => setDeleting(true)}>{words.delete}</button>
      </section>
      {deleting && (
        <Confirm title={words.deleteTitle(nameOf(bot))} text={words.deleteText} action={words.delete} onClose={() => setDeleting(false)}
          onConfirm={() => attempt(async () => {
            await api.deleteBot(bot.id);
            onClose();
            onDeleted();
          })} />
      )}
    </Dialog>
  );
}

function Tokens({ bot }: { bot: Bot }) {
  const tokens = useAnswer(() => api.botTokens(bot.id), bot.id);
  const [fresh, setFresh] = useState<BotToken>();
  const [making, setMaking] = useState(false);
  const [revoking, setRevoking] = useState<BotToken>();
  const made = (token: BotToken) => {
    setFresh(token);
    setMaking(false);
    void tokens.reload();
  };
  return (
    <section class="part">
      <h3>{words.tokens}</h3>
      <Loaded of={tokens}>
        {(all) => all.length === 0 ? <p class="muted">{words.noTokens}</p> : (
          <ul class="rows" data-testid="tokens">
            {all.map((token) => (
              <li key={token.id} class="row">
                <div class="row-text">
                  <strong>{token.name}</strong>
                  <p class="muted">{[...token.scopes, ...(token.expires_at ? [words.until(moment(token.expires_at))] : [])].join(" · ")}</p>
                </div>
                <button type="button" class="link" data-testid="revoke-token" onClick={() => setRevoking(token)}>{words.revoke}</button>
              </li>
            ))}
          </ul>
        )}
      </Loaded>
      {fresh?.token !== undefined && <Copied label={words.token} text={fresh.token} hint={words.tokenOnce} testid="fresh-token" />}
      {making ? <NewToken bot={bot} onMade={made} /> : (
        <button type="button" class="button" data-testid="new-token" onClick={() => setMaking(true)}>{words.newToken}</button>
      )}
      {revoking !== undefined && (
        <Confirm title={words.revokeTitle(revoking.name)} text={words.revokeText} action={words.revoke} onClose={() => setRevoking(undefined)}
          onConfirm={() => attempt(() => api.revokeBotToken(bot.id, revoking.id)).then(() => tokens.reload())} />
      )}
    </section>
  );
}

function NewToken({ bot, onMade }: { bot: Bot; onMade(token: BotToken): void }) {
  const form = useForm(async (data) => {
    const life = Number(data.get("expires_in_s"));
    onMade(await api.createBotToken(bot.id, {
      name: String(data.get("name")).trim(),
      scopes: data.getAll("scopes") as Scope[],
      ...(life > 0 ? { expires_in_s: life } : {}),
    }));
  });
  return (
    <form onSubmit={form.onSubmit} noValidate>
      <Field form={form} name="name" label={words.tokenName} testid="token-name" autofocus />
      <fieldset class="options">
        <legend>{words.scopes}</legend>
        {(Object.entries(words.scopeNames)).map(([scope, name]) => (
          <label key={scope} class="check">
            <input type="checkbox" name="scopes" value={scope} defaultChecked={scope.endsWith(":read")} />
            <span>{name} <code>{scope}</code></span>
          </label>
        ))}
        {form.error("scopes") !== undefined && <p class="error">{form.error("scopes")}</p>}
      </fieldset>
      <Choice name="expires_in_s" label={words.expires} choices={words.lives} />
      <Problem form={form} />
      <Submit form={form}>{words.newToken}</Submit>
    </form>
  );
}

function Rooms({ bot }: { bot: Bot }) {
  const mine = roomList.value.filter((room) => room.info.value.visibility !== "direct");
  const form = useForm(async (data) => {
    const room = mine.find((one) => one.id === data.get("room"));
    if (room === undefined) return;
    await api.addBot(room.id, bot.id);
    toast(words.added(roomTitle(room)));
  });
  return (
    <section class="part">
      <form onSubmit={form.onSubmit} noValidate>
        <h3>{words.room}</h3>
        {mine.length === 0 ? <p class="muted">{words.noRooms}</p> : (
          <>
            <Choice name="room" label={strings.webhooks.replayRoom} choices={mine.map((room) => [room.id, roomTitle(room)])} testid="bot-room" />
            <Problem form={form} />
            <button type="submit" class="button" disabled={form.busy} data-testid="add-bot">{words.add}</button>
          </>
        )}
      </form>
    </section>
  );
}
