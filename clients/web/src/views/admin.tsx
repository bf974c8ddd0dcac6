/** The server, as those who run it see it. */

import { adminSections, type AdminSection, paths } from "../state/router";
import { strings } from "../strings";
import { Audit } from "./admin/audit";
import { Nodes } from "./admin/nodes";
import type { IconName } from "./icons";
import { Sections } from "./sections";

const icons: Record<AdminSection, IconName> = { nodes: "server", audit: "scroll" };
const views: Record<AdminSection, () => preact.ComponentChild> = { nodes: Nodes, audit: Audit };

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
