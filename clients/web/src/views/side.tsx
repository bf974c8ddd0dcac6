/** The frame of what stands beside a conversation. */

import type { ComponentChildren } from "preact";
import { side } from "../state/dialogs";
import { strings } from "../strings";
import { Icon } from "./icons";

interface SidePaneProps {
  title: string;
  testid: string;
  children: ComponentChildren;
}

export function SidePane({ title, testid, children }: SidePaneProps) {
  return (
    <aside class="details" aria-label={title} data-testid={`${testid}-pane`}>
      <header class="bar">
        <h2>{title}</h2>
        <button type="button" class="icon-button" aria-label={strings.details.close} onClick={() => (side.value = undefined)}>
          <Icon name="close" />
        </button>
      </header>
      {children}
    </aside>
  );
}
