/** A text to be taken elsewhere: a link, a token, a secret. */

import { useId } from "preact/hooks";
import { attempt, toast } from "../state/toasts";
import { strings } from "../strings";

interface CopiedProps {
  label: string;
  text: string;
  hint?: string;
  testid?: string;
}

export function Copied({ label, text, hint, testid }: CopiedProps) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <div class="input">
        <input id={id} class="code" readOnly value={text} data-testid={testid} onFocus={(event) => event.currentTarget.select()} />
        <button type="button" class="link" onClick={() => void copy(text)}>{strings.details.copy}</button>
      </div>
      {hint !== undefined && <p class="hint">{hint}</p>}
    </div>
  );
}

/** Without the clipboard (a page over plain HTTP has none) the text stands there to be copied by hand. */
export async function copy(text: string): Promise<void> {
  if (navigator.clipboard === undefined) return toast(strings.common.copyByHand, "bad");
  await attempt(async () => {
    await navigator.clipboard.writeText(text);
    toast(strings.details.copied);
  });
}
