/** Every room of the server, also those that are not listed, without an owner, or deleted. */

import { useState } from "preact/hooks";
import { type AdminRoom, type AdminRoomChanges, Refusal } from "@chatx/sdk";
import { nameOf, others } from "../../state/names";
import { userNamed } from "../../state/people";
import { api } from "../../state/session";
import { moment } from "../../state/times";
import { attempt } from "../../state/toasts";
import { strings } from "../../strings";
import { RoomMark } from "../avatar";
import { Chips } from "../chips";
import { Confirm, Dialog } from "../dialog";
import { Field, Problem, Submit, useForm } from "../form";
import { Loaded, More, usePages } from "../loaded";
import { Menu, MenuItem } from "../menu";
import { SearchBox } from "../search_box";

type Only = keyof typeof words.only;

const words = strings.admin.rooms;

export function Rooms() {
  const [query, setQuery] = useState("");
  const [only, setOnly] = useState<Only>("all");
  const filter = only === "ownerless" ? { ownerless: true } : only === "deleted" ? { deleted: true } : {};
  const rooms = usePages("rooms", (part) => api.allRooms({ ...part, query, ...filter }), `${only} ${query}`);
  return (
    <>
      <SearchBox label={strings.rooms.search} testid="room-search" onSearch={setQuery} />
      <Chips label={words.which} labels={words.only} value={only} onChange={setOnly} />
      <Loaded of={rooms}>
        {(all) => all.length === 0 ? <p class="muted nothing">{words.none}</p> : (
          <ul class="rows" data-testid="all-rooms">
            {all.map((one) => <RoomRow key={one.room.id} one={one} onChange={() => void rooms.reload()} />)}
          </ul>
        )}
      </Loaded>
      <More of={rooms} />
    </>
  );
}

/** What is asked before it is done. */
type Asking = "owner" | "delete";

function RoomRow({ one, onChange }: { one: AdminRoom; onChange(): void }) {
  const [asking, setAsking] = useState<Asking>();
  const { room, owner } = one;
  const name = titleOf(one);
  const deleted = one.deleted_at != null;
  const change = (changes: AdminRoomChanges) => void attempt(() => api.administerRoom(room.id, changes)).then(onChange);
  const facts = [strings.visibility[room.visibility], strings.rooms.members(room.members), words.messages(one.messages)];
  return (
    <li class="row" data-testid="any-room" data-room={room.id}>
      <RoomMark room={{ ...room, name }} />
      <div class="row-text">
        <strong>
          {name}
          {one.ownerless && <span class="tag bad">{words.ownerless}</span>}
          {room.archived_at != null && <span class="tag">{words.archived}</span>}
          {deleted && <span class="tag bad">{words.deleted}</span>}
        </strong>
        <p class="muted">{facts.join(" · ")}</p>
        <p class="muted">
          {owner && words.owner(nameOf(owner))}
          {one.restorable_until && ` ${words.restorable(moment(one.restorable_until))}`}
        </p>
      </div>
      <Menu label={strings.details.actions(name)} testid="room-actions">
        {() => deleted ? (
          <MenuItem icon="retry" testid="restore-room" onChoose={() => change({ deleted: false })}>{strings.settings.restore}</MenuItem>
        ) : (
          <>
            {room.visibility !== "direct" && <MenuItem icon="user" testid="hand-over" onChoose={() => setAsking("owner")}>{words.handOver}</MenuItem>}
            <MenuItem icon="box" testid="archive" onChoose={() => change({ archived: room.archived_at == null })}>
              {room.archived_at == null ? words.archive : words.reopen}
            </MenuItem>
            <MenuItem icon="trash" bad testid="delete-any" onChoose={() => setAsking("delete")}>{strings.roomSettings.delete}</MenuItem>
          </>
        )}
      </Menu>
      {asking === "owner" && <HandOver one={one} onClose={() => setAsking(undefined)} onChange={onChange} />}
      {asking === "delete" && (
        <Confirm title={strings.roomSettings.deleteTitle(name)} text={words.deleteText} action={strings.roomSettings.delete}
          onConfirm={() => attempt(() => api.deleteAnyRoom(room.id)).then(onChange)} onClose={() => setAsking(undefined)} />
      )}
    </li>
  );
}

function HandOver({ one, onClose, onChange }: { one: AdminRoom; onClose(): void; onChange(): void }) {
  const form = useForm(
    async (data) => {
      const user = await userNamed(String(data.get("owner")).trim());
      if (user === undefined) throw new Refusal({ code: "user_not_found", message: "" });
      await api.administerRoom(one.room.id, { owner: user.id });
      onClose();
      onChange();
    },
    { user_not_found: "owner" },
    { user_not_found: strings.admin.audit.nobody },
  );
  return (
    <Dialog title={words.handOverTitle(titleOf(one))} onClose={onClose}>
      <form onSubmit={form.onSubmit} noValidate>
        <p class="muted">{words.handOverText}</p>
        <Field form={form} name="owner" label={strings.auth.username} testid="new-owner" autofocus />
        <Problem form={form} />
        <footer>
          <button type="button" class="button" onClick={onClose}>{strings.common.cancel}</button>
          <Submit form={form}>{words.handOver}</Submit>
        </footer>
      </form>
    </Dialog>
  );
}

function titleOf({ room }: AdminRoom): string {
  return room.name !== "" ? room.name : (others(room, undefined, "") ?? strings.rooms.direct);
}
