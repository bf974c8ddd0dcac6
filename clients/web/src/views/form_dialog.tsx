/** A dialog that asks for something: fields, what is wrong with them, and the two ways out. */

import type { ComponentChildren } from "preact";
import { strings } from "../strings";
import { closeDialog } from "../state/dialogs";
import { Dialog } from "./dialog";
import { type FormState, Problem, Submit } from "./form";

interface FormDialogProps {
  title: string;
  form: FormState;
  /** What the button says. */
  action: string;
  children: ComponentChildren;
  /** What stands below the form and is not sent with it. */
  below?: ComponentChildren;
}

export function FormDialog({ title, form, action, children, below }: FormDialogProps) {
  return (
    <Dialog title={title} onClose={closeDialog}>
      <form onSubmit={form.onSubmit} noValidate>
        {children}
        <Problem form={form} />
        <footer>
          <button type="button" class="button" onClick={closeDialog}>
            {strings.common.cancel}
          </button>
          <Submit form={form}>{action}</Submit>
        </footer>
      </form>
      {below}
    </Dialog>
  );
}
