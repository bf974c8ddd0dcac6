/** The coordinators of the cluster. */

import type { Node } from "@chatx/sdk";
import { api } from "../../state/session";
import { moment } from "../../state/times";
import { strings } from "../../strings";
import { Loaded, useAnswer, useRefreshed } from "../loaded";

export function Nodes() {
  const nodes = useAnswer(() => api.nodes());
  useRefreshed(nodes);
  return (
    <>
      <p class="muted">{strings.admin.nodes.text}</p>
      <Loaded of={nodes}>
        {(all) => all.length === 0 ? <p class="muted nothing">{strings.admin.nodes.none}</p> : (
          <ul class="rows" data-testid="nodes">
            {all.map((node) => <NodeRow key={node.name} node={node} />)}
          </ul>
        )}
      </Loaded>
    </>
  );
}

function NodeRow({ node }: { node: Node }) {
  const words = strings.admin.nodes;
  const where = [node.public_url, words.weight(node.weight), ...(node.internal_url ? [words.internal(node.internal_url)] : [])];
  return (
    <li class="row" data-testid="node" data-state={node.state}>
      <div class="row-text">
        <strong>{node.name}</strong>
        <p class="muted">{where.join(" · ")}</p>
        <p class="muted">{words.since(moment(node.started_at))} · {words.seen(moment(node.seen_at))}</p>
      </div>
      <span class={node.state === "live" ? "tag accent" : node.state === "dead" ? "tag bad" : "tag"}>{words.states[node.state]}</span>
    </li>
  );
}
