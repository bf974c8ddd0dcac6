/** The ways into a room: making one, its password, an invite. */

import { useEffect, useState } from "preact/hooks";
import { asRefusal, type Id, limits, Refusal, type Room, type NewRoom, type Visibility } from "@chatx/sdk";
import { createRoom, joinRoom } from "../state/actions";
import { closeDialog } from "../state/dialogs";
import { parseInvite, paths } from "../state/router";
import { refusalText, strings } from "../strings";
import { Field, useForm } from "./form";
import { FormDialog } from "./form_dialog";
import { Icon, type IconName } from "./icons";

const visibilityIcons: Record<Visibility, IconName> = { public: "globe", private: "lock", secret: "hidden", direct: "people" };
const choices: readonly Exclude<Visibility, "direct">[] = ["public", "private", "secret"];

export function CreateRoom() {
  const [visibility, setVisibility] = useState<Exclude<Visibility, "direct">>("public");
  const form = useForm(
    async (data) => {
      const fields: NewRoom = { name: String(data.get("name")).trim(), visibility };
      const topic = String(data.get("topic")).trim();
      const password = String(data.get("password") ?? "");
      if (topic !== "") fields.topic = topic;
      if (password !== "") fields.password = password;
      await createRoom(fields);
      closeDialog();
    },
    { name_taken: "name" },
  );
  return (
    <FormDialog title={strings.rooms.createTitle} form={form} action={strings.rooms.createButton}>
      <Field form={form} name="name" label={strings.rooms.name} testid="room-name" maxLength={limits.roomNameMax} autofocus />
      <Field form={form} name="topic" label={strings.rooms.topic} hint={strings.rooms.topicHint} optional maxLength={limits.topicMax} />
      <VisibilityChoice value={visibility} onChange={setVisibility} />
      {visibility === "private" && (
        <Field form={form} name="password" label={strings.rooms.password} hint={strings.rooms.passwordCreateHint} optional
          type="password" testid="room-password" autocomplete="new-password" />
      )}
    </FormDialog>
  );
}

export function VisibilityChoice({ value, onChange }: { value: Visibility; onChange: (next: Exclude<Visibility, "direct">) => void }) {
  return (
    <fieldset class="choices" data-testid="room-visibility">
      <legend>{strings.rooms.visibility}</legend>
      {choices.map((choice) => (
        <label key={choice} class="choice">
          <input type="radio" name="visibility" value={choice} checked={value === choice} onChange={() => onChange(choice)} />
          <Icon name={visibilityIcons[choice]} />
          <span>
            <strong>{strings.visibility[choice]}</strong>
            <small>{strings.visibilityText[choice]}</small>
          </span>
        </label>
      ))}
    </fieldset>
  );
}

export function JoinRoom({ room }: { room: Pick<Room, "id" | "name"> }) {
  const form = useForm(
    async (data) => {
      await joinRoom(room.id, { password: String(data.get("password")) });
      closeDialog();
    },
    { wrong_password: "password" },
    { wrong_password: strings.rooms.wrongPassword },
  );
  return (
    <FormDialog title={strings.rooms.joinTitle(room.name)} form={form} action={strings.rooms.join}>
      <p class="muted">{strings.rooms.joinText}</p>
      <Field form={form} name="password" label={strings.rooms.password} type="password" testid="join-password" autofocus />
    </FormDialog>
  );
}

export function InviteForm() {
  const form = useForm(
    async (data) => {
      const invite = parseInvite(String(data.get("invite")));
      if (invite === undefined) throw new Refusal({ code: "bad_link", message: "" });
      await joinRoom(invite.room, { invite: invite.code });
      closeDialog();
    },
    { bad_link: "invite", invite_not_found: "invite" },
    { bad_link: strings.rooms.inviteBad },
  );
  return (
    <FormDialog title={strings.rooms.inviteTitle} form={form} action={strings.rooms.join}>
      <Field form={form} name="invite" label={strings.rooms.inviteLink} hint={strings.rooms.inviteHint} testid="invite-link" autofocus />
    </FormDialog>
  );
}

/** The page that an invite link opens: it joins, and goes on to the room. */
export function InvitePage({ room, code }: { room: Id; code: string }) {
  const [problem, setProblem] = useState<string>();
  useEffect(() => {
    joinRoom(room, { invite: code }, true).catch((thrown: unknown) => setProblem(refusalText(asRefusal(thrown))));
  }, [room, code]);
  return (
    <main class="page blank" id="main" tabIndex={-1}>
      <div class="blank-text">
        <h1>{problem === undefined ? strings.rooms.inviteUsing : strings.rooms.inviteFailed}</h1>
        <p class="muted" role="status">{problem}</p>
        {problem !== undefined && (
          <a class="button" href={paths.rooms}>
            {strings.conversation.back}
          </a>
        )}
      </div>
    </main>
  );
}
