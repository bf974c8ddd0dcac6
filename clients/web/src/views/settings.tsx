/** One's own settings, by section. */

import { paths, type SettingsSection, settingsSections } from "../state/router";
import { chat } from "../state/session";
import { attempt } from "../state/toasts";
import { strings } from "../strings";
import { Icon, type IconName } from "./icons";
import { Sections } from "./sections";
import { Appearance } from "./settings/appearance";
import { Bots } from "./settings/bots";
import { Data } from "./settings/data";
import { Notifications } from "./settings/notifications";
import { Privacy } from "./settings/privacy";
import { Profile } from "./settings/profile";
import { Security } from "./settings/security";
import { Sessions } from "./settings/sessions";
import { Webhooks } from "./webhooks";

const icons: Record<SettingsSection, IconName> = {
  profile: "user", appearance: "sun", notifications: "bell", privacy: "eye", security: "key", sessions: "device",
  bots: "bot", webhooks: "out", data: "box",
};
const views: Record<SettingsSection, () => preact.ComponentChild> = {
  profile: Profile, appearance: Appearance, notifications: Notifications, privacy: Privacy, security: Security, sessions: Sessions,
  bots: Bots, webhooks: () => <Webhooks />, data: Data,
};

export function Settings({ section }: { section: SettingsSection }) {
  const Section = views[section];
  return (
    <Sections
      title={strings.settings.title}
      testid="settings-page"
      names={settingsSections}
      at={section}
      labels={strings.settings.sections}
      icons={icons}
      path={paths.settings}
      foot={
        <button type="button" data-testid="logout" onClick={() => void attempt(() => chat.logOut())}>
          <Icon name="leave" />
          {strings.auth.logOut}
        </button>
      }
    >
      <Section />
    </Sections>
  );
}
