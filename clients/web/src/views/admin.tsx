/** The server, as those who run it see it. */

import { adminSections, type AdminSection, paths } from "../state/router";
import { strings } from "../strings";
import { Audit } from "./admin/audit";
import { Nodes } from "./admin/nodes";
import { Rooms } from "./admin/rooms";
import { Storage } from "./admin/storage";
import { Users } from "./admin/users";
import type { IconName } from "./icons";
import { AllReports } from "./report_queue";
import { Sections } from "./sections";

const icons: Record<AdminSection, IconName> = {
  users: "user", rooms: "people", reports: "flag", storage: "disk", nodes: "server", audit: "scroll",
};
const views: Record<AdminSection, () => preact.ComponentChild> = {
  users: Users, rooms: Rooms, reports: AllReports, storage: Storage, nodes: Nodes, audit: Audit,
};

export function Administration({ section }: { section: AdminSection }) {
  const Section = views[section];
  return (
    <Sections
      title={strings.admin.title}
      testid="admin-page"
      names={adminSections}
      at={section}
      labels={strings.admin.sections}
      icons={icons}
      path={paths.admin}
    >
      <Section />
    </Sections>
  );
}
