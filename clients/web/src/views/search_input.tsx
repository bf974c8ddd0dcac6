/** A field that looks for something, with the focus in it from the beginning. */

import { useEffect, useRef } from "preact/hooks";
import { Icon } from "./icons";

interface SearchInputProps {
  value: string;
  /** What it looks for; also said in it while it is empty. */
  label: string;
  testid: string;
  onInput(text: string): void;
  /** Enter: told what the field holds, which is ahead of what is drawn. */
  onSearch?(text: string): void;
}

export function SearchInput({ value, label, testid, onInput, onSearch }: SearchInputProps) {
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => input.current?.focus({ preventScroll: true }), []);
  return (
    <form
      class="search input"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        onSearch?.(input.current?.value ?? value);
      }}
    >
      <Icon name="search" />
      <input
        ref={input}
        type="search"
        value={value}
        placeholder={label}
        aria-label={label}
        data-testid={testid}
        onInput={(event) => onInput(event.currentTarget.value)}
      />
    </form>
  );
}
