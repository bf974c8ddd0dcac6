/** The care of a room: what its moderators and admins do for it beside the conversation. */

import { roomTitle } from "../state/names";
import { atLeast } from "../state/permissions";
import type { RoomState } from "../state/room";
import { manageSections, type ManageSection, paths } from "../state/router";
import { strings } from "../strings";
import { Hooks } from "./hooks";
import { Icon, type IconName } from "./icons";
import { RoomReports } from "./report_queue";
import { Sections } from "./sections";
import { Webhooks } from "./webhooks";

const icons: Record<ManageSection, IconName> = { reports: "flag", hooks: "in", webhooks: "out" };
const views: Record<ManageSection, (props: { room: RoomState }) => preact.ComponentChild> = {
  reports: RoomReports, hooks: Hooks, webhooks: Webhooks,
};

export function Manage({ room, section }: { room: RoomState; section: ManageSection }) {
  const names = sectionsOf(room);
  const Section = views[section];
  return (
    <Sections
      title={strings.manage.title(roomTitle(room))}
      testid="manage-page"
      names={names}
      at={section}
      labels={strings.manage.sections}
      icons={icons}
      path={(name) => paths.manage(room.id, name)}
      back={paths.room(room.id)}
    >
      {names.includes(section) ? <Section room={room} /> : <p class="muted">{strings.manage.notYours}</p>}
    </Sections>
  );
}

/** The way there, for those who may do something there, with how many reports wait. */
export function ManageLink({ room }: { room: RoomState }) {
  const [first] = sectionsOf(room);
  return first === undefined ? null : <Link room={room} to={first} />;
}

function Link({ room, to }: { room: RoomState; to: ManageSection }) {
  const open = room.openReports.value ?? 0;
  return (
    <a class="button" href={paths.manage(room.id, to)} data-testid="manage">
      <Icon name="shield" />
      {strings.manage.open}
      {open > 0 && (
        <span class="badge called">
          <span aria-hidden="true">{open}</span>
          <span class="visually-hidden">{strings.manage.reportsOpen(open)}</span>
        </span>
      )}
    </a>
  );
}

/** Which of them this person may see. */
function sectionsOf(room: RoomState): ManageSection[] {
  const { role, visibility } = room.info.value;
  const least = { reports: "moderator", hooks: "admin", webhooks: "admin" } as const satisfies Record<ManageSection, string>;
  return visibility === "direct" ? [] : manageSections.filter((section) => atLeast(role, least[section]));
}
