/** A field that looks for what is typed once it rests. */

import { useEffect, useState } from "preact/hooks";
import { after } from "../browser";
import { SearchInput } from "./search_input";

const searchAfterMs = 250;

interface SearchBoxProps {
  label: string;
  testid: string;
  onSearch(query: string): void;
}

export function SearchBox({ label, testid, onSearch }: SearchBoxProps) {
  const [typed, setTyped] = useState("");
  useEffect(() => after(typed === "" ? 0 : searchAfterMs, () => onSearch(typed.trim())), [typed]);
  return <SearchInput value={typed} label={label} testid={testid} onInput={setTyped} />;
}
