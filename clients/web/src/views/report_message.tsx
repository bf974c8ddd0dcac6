/** Telling the moderators of a message that is out of place. */

import type { Id, ReportReason, Seq } from "@chatx/sdk";
import { closeDialog } from "../state/dialogs";
import { api } from "../state/session";
import { toast } from "../state/toasts";
import { strings } from "../strings";
import { Field, useForm } from "./form";
import { FormDialog } from "./form_dialog";

const noteMax = 500;

export function ReportMessage({ room, seq }: { room: Id; seq: Seq }) {
  const form = useForm(async (data) => {
    await api.report(room, seq, data.get("reason") as ReportReason, String(data.get("note")).trim());
    closeDialog();
    toast(strings.reports.sent);
  });
  return (
    <FormDialog title={strings.reports.title} form={form} action={strings.reports.send}>
      <p class="muted">{strings.reports.text}</p>
      <fieldset class="options">
        <legend>{strings.reports.reason}</legend>
        {(Object.keys(strings.reports.reasons) as ReportReason[]).map((reason, index) => (
          <label key={reason} class="check">
            <input type="radio" name="reason" value={reason} defaultChecked={index === 0} data-testid={`reason-${reason}`} />
            {strings.reports.reasons[reason]}
          </label>
        ))}
      </fieldset>
      <Field form={form} name="note" label={strings.reports.note} optional multiline maxLength={noteMax} testid="report-note" />
    </FormDialog>
  );
}
