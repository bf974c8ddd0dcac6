/** The audit log, newest first. */

import { useState } from "preact/hooks";
import { type AuditEntry, type Id, Refusal } from "@chatx/sdk";
import { knownName, userNamed } from "../../state/people";
import { api } from "../../state/session";
import { moment } from "../../state/times";
import { strings } from "../../strings";
import { Facts } from "../facts";
import { Choice, Field, Problem, useForm } from "../form";
import { Loaded, More, usePages } from "../loaded";

interface Wanted {
  actor?: Id;
  action?: string;
}

const words = strings.admin.audit;

export function Audit() {
  const [wanted, setWanted] = useState<Wanted>({});
  const entries = usePages("entries", (part) => api.audit({ ...part, ...wanted }), JSON.stringify(wanted));
  const form = useForm(
    async (data) => {
      const name = String(data.get("actor")).trim();
      const action = String(data.get("action"));
      const actor = name === "" ? undefined : await userNamed(name);
      if (name !== "" && actor === undefined) throw new Refusal({ code: "user_not_found", message: "" });
      setWanted({ ...(actor === undefined ? {} : { actor: actor.id }), ...(action === "" ? {} : { action }) });
    },
    { user_not_found: "actor" },
    { user_not_found: words.nobody },
  );
  return (
    <>
      <p class="muted">{words.text}</p>
      <form class="filter" onSubmit={form.onSubmit} noValidate data-testid="audit-filter">
        <Choice name="action" label={words.action} testid="audit-action"
          choices={[["", words.anything], ...Object.entries(words.actions)]} />
        <Field form={form} name="actor" label={words.actor} hint={words.actorHint} testid="audit-actor" />
        <button type="submit" class="button" disabled={form.busy}>{words.filter}</button>
        <Problem form={form} />
      </form>
      <Loaded of={entries}>
        {(all) => all.length === 0 ? <p class="muted nothing">{words.none}</p> : (
          <ul class="rows" data-testid="audit">
            {all.map((entry) => <Entry key={entry.id} entry={entry} />)}
          </ul>
        )}
      </Loaded>
      <More of={entries} />
    </>
  );
}

function Entry({ entry }: { entry: AuditEntry }) {
  const { actor, target } = entry;
  const data = Object.entries(entry.data !== null && typeof entry.data === "object" ? entry.data : {});
  const facts = data.map(([name, value]): [string, string] => [name, typeof value === "string" ? value : JSON.stringify(value)]);
  return (
    <li class="row" data-testid="audit-entry" data-action={entry.action}>
      <details class="row-text">
        <summary>
          <strong>{words.actions[entry.action] ?? entry.action}</strong>
          <span class="muted">{actor ? knownName(actor) : words.unknown}</span>
          <time class="muted" dateTime={entry.at}>{moment(entry.at)}</time>
        </summary>
        <Facts of={[[words.target, target], [words.ip, entry.ip], ...facts, [words.request, entry.request_id]]} />
      </details>
    </li>
  );
}
