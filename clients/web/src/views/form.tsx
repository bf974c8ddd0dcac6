/** Forms: fields with their errors beside them, and a submission that waits when the server says to. */

import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { asRefusal, type Refusal } from "@chatx/sdk";
import { me } from "../state/session";
import { waitText } from "../state/times";
import { fieldText, refusalText, strings } from "../strings";
import { Icon } from "./icons";

export interface FormState {
  busy: boolean;
  /** Seconds until the server listens again. */
  wait: number;
  /** What is wrong with a field. */
  error(name: string): string | undefined;
  /** What is wrong with no field in particular. */
  problem: string | undefined;
  onSubmit(event: SubmitEvent): void;
}

/**
 * Runs `submit` with what was typed. `codeFields` says which field a code like `username_taken` belongs to; `texts`
 * says it in the form's own words.
 */
export function useForm(
  submit: (data: FormData, form: HTMLFormElement) => Promise<unknown>,
  codeFields: Record<string, string> = {},
  texts: Record<string, string> = {},
): FormState {
  const [busy, setBusy] = useState(false);
  const [refusal, setRefusal] = useState<Refusal>();
  const [wait, setWait] = useState(0);
  const form = useRef<HTMLFormElement>(null);
  const alive = useRef(true);
  // Known before the next frame shows it: a second click in between sends nothing.
  const running = useRef(false);

  useEffect(() => () => void (alive.current = false), []);
  useEffect(() => {
    if (wait <= 0) return;
    const timer = setTimeout(() => setWait(wait - 1), 1000);
    return () => clearTimeout(timer);
  }, [wait]);
  useEffect(() => {
    if (refusal !== undefined) form.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus();
  }, [refusal]);

  async function run(target: HTMLFormElement): Promise<void> {
    form.current = target;
    running.current = true;
    setBusy(true);
    setRefusal(undefined);
    try {
      await submit(new FormData(target), target);
    } catch (thrown) {
      if (!alive.current) return;
      const refused = asRefusal(thrown);
      setRefusal(refused);
      if (refused.code === "rate_limited") setWait(Math.ceil((refused.retryAfterMs ?? 5000) / 1000));
    } finally {
      running.current = false;
      if (alive.current) setBusy(false);
    }
  }

  const field = refusal === undefined ? undefined : codeFields[refusal.code];
  const text = refusal === undefined ? undefined : (texts[refusal.code] ?? refusalText(refusal));
  const limited = refusal?.code === "rate_limited";
  return {
    busy,
    wait,
    error: (name) => {
      const code = refusal?.fields[name]?.[0];
      if (code !== undefined) return fieldText(code);
      return field === name ? text : undefined;
    },
    problem: limited ? (wait > 0 ? strings.common.retryIn(waitText(wait)) : undefined) : field === undefined ? text : undefined,
    onSubmit: (event) => {
      event.preventDefault();
      if (!running.current && wait === 0) void run(event.currentTarget as HTMLFormElement);
    },
  };
}

/** Tells whoever keeps passwords whose it is that is asked for. */
export function AccountName() {
  return <input type="text" class="visually-hidden" name="username" value={me.value?.username} autocomplete="username" readOnly tabIndex={-1} aria-hidden="true" />;
}

interface FieldProps {
  form: FormState;
  name: string;
  label: string;
  hint?: string;
  optional?: boolean;
  type?: "text" | "email" | "password" | "search";
  value?: string;
  testid?: string;
  autocomplete?: string;
  maxLength?: number;
  autofocus?: boolean;
  multiline?: boolean;
}

export function Field(props: FieldProps) {
  const { form, name, label, hint, optional, type = "text", multiline } = props;
  const id = useId();
  const input = useRef<HTMLInputElement & HTMLTextAreaElement>(null);
  const [shown, setShown] = useState(false);
  useEffect(() => {
    if (props.autofocus) input.current?.focus();
  }, []);
  const error = form.error(name);
  const described = error !== undefined ? `${id}-error` : hint !== undefined ? `${id}-hint` : undefined;
  const common = {
    ref: input,
    id,
    name,
    defaultValue: props.value ?? "",
    maxLength: props.maxLength,
    // What a dialog that opens begins with.
    "data-autofocus": props.autofocus,
    "data-testid": props.testid,
    "aria-invalid": error !== undefined,
    "aria-describedby": described,
  };
  return (
    <div class="field">
      <label for={id}>
        {label}
        {optional && <span class="muted"> · {strings.common.optional}</span>}
      </label>
      <div class="input">
        {multiline ? (
          <textarea {...common} rows={3} />
        ) : (
          <input
            {...common}
            {...inputType(type === "password" && shown ? "text" : type)}
            autocomplete={props.autocomplete ?? "off"}
            autocapitalize="none"
            spellcheck={false}
          />
        )}
        {type === "password" && (
          <button
            type="button"
            class="icon-button"
            aria-label={shown ? strings.auth.hidePassword : strings.auth.showPassword}
            aria-pressed={shown}
            onClick={() => setShown(!shown)}
          >
            <Icon name={shown ? "hidden" : "eye"} />
          </button>
        )}
      </div>
      {error !== undefined ? (
        <p class="error" id={`${id}-error`}>{error}</p>
      ) : (
        hint !== undefined && <p class="hint" id={`${id}-hint`}>{hint}</p>
      )}
    </div>
  );
}

/** The types of `type` tell one kind of input from another; ours take the same attributes. */
function inputType(type: string): { type: "text" } {
  return { type } as { type: "text" };
}

export function Problem({ form }: { form: FormState }) {
  return (
    <p class="problem" role="alert">
      {form.problem}
    </p>
  );
}

export function Submit({ form, children }: { form: FormState; children: ComponentChildren }) {
  return (
    <button type="submit" class="button primary" data-testid="submit" disabled={form.busy || form.wait > 0} aria-busy={form.busy}>
      {children}
    </button>
  );
}

interface ChoiceProps {
  name: string;
  label: string;
  /** What is sent, and what it is called. */
  choices: readonly (readonly [string, string])[];
  value?: string;
  testid?: string;
}

/** One of a few. */
export function Choice({ name, label, choices, value, testid }: ChoiceProps) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <div class="input">
        <select id={id} name={name} data-testid={testid}>
          {choices.map(([sent, called]) => (
            <option key={sent} value={sent} selected={sent === value}>{called}</option>
          ))}
        </select>
      </div>
    </div>
  );
}
