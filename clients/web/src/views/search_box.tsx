/** A field that looks for what is typed once it rests. */

import { useEffect, useState } from "preact/hooks";
import { after } from "../browser";
import { Icon } from "./icons";

const searchAfterMs = 250;

interface SearchBoxProps {
  label: string;
  testid: string;
  onSearch(query: string): void;
}

export function SearchBox({ label, testid, onSearch }: SearchBoxProps) {
  const [typed, setTyped] = useState("");
  useEffect(() => after(typed === "" ? 0 : searchAfterMs, () => onSearch(typed.trim())), [typed]);
  return (
    <div class="search input" role="search">
      <Icon name="search" />
      <input type="search" value={typed} placeholder={label} aria-label={label} data-testid={testid} onInput={(event) => setTyped(event.currentTarget.value)} />
    </div>
  );
}
