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
  /** For a dialog that its opener keeps. */
  onClose?(): void;
  /** What stands below the form and is not sent with it. */
  below?: ComponentChildren;
}

export function FormDialog({ title, form, action, children, below, onClose = closeDialog }: FormDialogProps) {
  return (
    <Dialog title={title} onClose={onClose}>
      <form onSubmit={form.onSubmit} noValidate>
        {children}
        <Problem form={form} />
        <footer>
          <button type="button" class="button" onClick={onClose}>
            {strings.common.cancel}
          </button>
          <Submit form={form}>{action}</Submit>
        </footer>
      </form>
      {below}
    </Dialog>
  );
}
