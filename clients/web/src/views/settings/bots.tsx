/** One's bots. */

import { useState } from "preact/hooks";
import { type Bot, limits } from "@chatx/sdk";
import { nameOf } from "../../state/names";
import { api } from "../../state/session";
import { strings } from "../../strings";
import { Avatar } from "../avatar";
import { Dialog } from "../dialog";
import { Field, Problem, Submit, useForm } from "../form";
import { Loaded, useAnswer } from "../loaded";
import { BotDialog } from "./bot";

const words = strings.bots;

export function Bots() {
  const bots = useAnswer(() => api.bots());
  const [open, setOpen] = useState<Bot>();
  const [making, setMaking] = useState(false);
  const made = (bot: Bot) => {
    setMaking(false);
    setOpen(bot);
    void bots.reload();
  };
  return (
    <section class="setting">
      <p class="muted">{words.text}</p>
      <Loaded of={bots}>
        {(all) => all.length === 0 ? <p class="muted">{words.none}</p> : (
          <ul class="rows" data-testid="bots">
            {all.map((bot) => (
              <li key={bot.id} class="row" data-testid="bot">
                <Avatar user={bot} />
                <div class="row-text">
                  <strong>{nameOf(bot)}</strong>
                  <p class="muted">@{bot.username}{bot.bio && ` · ${bot.bio}`}</p>
                </div>
                <button type="button" class="button" data-testid="open-bot" aria-label={words.openOf(nameOf(bot))} onClick={() => setOpen(bot)}>{words.open}</button>
              </li>
            ))}
          </ul>
        )}
      </Loaded>
      <button type="button" class="button" data-testid="new-bot" onClick={() => setMaking(true)}>{words.make}</button>
      {making && <NewBot onMade={made} onClose={() => setMaking(false)} />}
      {open !== undefined && <BotDialog bot={open} onClose={() => setOpen(undefined)} onDeleted={() => void bots.reload()} />}
    </section>
  );
}

function NewBot({ onMade, onClose }: { onMade(bot: Bot): void; onClose(): void }) {
  const form = useForm(
    async (data) => {
      const [displayName, bio] = [String(data.get("display_name")).trim(), String(data.get("bio")).trim()];
      onMade(await api.createBot({
        username: String(data.get("username")).trim(),
        ...(displayName === "" ? {} : { display_name: displayName }),
        ...(bio === "" ? {} : { bio }),
      }));
    },
    { username_taken: "username" },
  );
  return (
    <Dialog title={words.make} onClose={onClose}>
      <form onSubmit={form.onSubmit} noValidate>
        <Field form={form} name="username" label={strings.auth.username} hint={strings.auth.usernameHint} testid="bot-username" maxLength={limits.usernameMax} autofocus />
        <Field form={form} name="display_name" label={strings.auth.displayName} optional maxLength={limits.displayNameMax} />
        <Field form={form} name="bio" label={words.about} optional maxLength={limits.bioMax} />
        <Problem form={form} />
        <footer>
          <button type="button" class="button" onClick={onClose}>{strings.common.cancel}</button>
          <Submit form={form}>{words.make}</Submit>
        </footer>
      </form>
    </Dialog>
  );
}
