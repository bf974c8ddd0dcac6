/**
 * Reads the little markup that people write: lists, quotes, fenced code, and the marks within a text (`inline.ts`). Pure: it
 * answers a tree, and what that becomes on the page is the view's matter.
 */

import { type Inline, inline } from "./inline";

export type Block =
  | { kind: "text"; inside: Inline[] }
  | { kind: "code"; text: string }
  | { kind: "quote"; inside: Block[] }
  /** `first` is the number that it begins with; a list without has points. */
  | { kind: "list"; first: number | undefined; items: Block[][] };

const longestInShort = 240;
/** Lists and quotes stand in each other so many deep; what is deeper is text. */
const deepest = 4;

const fence = /^ {0,3}```[^`]*$/;
const fenceEnd = /^ {0,3}```\s*$/;
const quoted = /^>(?: |$)/;
/** Years and the like begin no list. */
const listed = /^( {0,3})(?:[-*•]|(\d{1,3})[.)])( {1,3})(?=\S)/;
const blank = /^\s*$/;

/** The text on one line without its marks, to tell of it in short. */
export function plain(body: string): string {
  return blocks(body.slice(0, longestInShort)).map(plainBlock).join(" ");
}

function plainBlock(block: Block): string {
  const text = (part: Inline): string => ("inside" in part ? part.inside.map(text).join("") : part.text);
  switch (block.kind) {
    case "text":
      return block.inside.map(text).join("");
    case "code":
      return block.text;
    case "quote":
      return block.inside.map(plainBlock).join(" ");
    case "list":
      return block.items.flat().map(plainBlock).join(" ");
  }
}

export function blocks(body: string): Block[] {
  return read(body.split("\n"), 0);
}

function read(lines: readonly string[], depth: number): Block[] {
  const found: Block[] = [];
  const lastFenceEnd = lines.findLastIndex((line) => fenceEnd.test(line));
  let text: string[] = [];

  /** What is no text follows, or the end: the empty lines between the two are not drawn. */
  function add(block: Block | undefined): void {
    const isSaid = (line: string) => !blank.test(line);
    if (block !== undefined) text.length = text.findLastIndex(isSaid) + 1;
    if (found.length > 0) text = text.some(isSaid) ? text.slice(text.findIndex(isSaid)) : [];
    if (text.length > 0) found.push({ kind: "text", inside: inline(text.join("\n")) });
    if (block !== undefined) found.push(block);
    text = [];
  }

  for (let at = 0; at < lines.length; at += 1) {
    const line = lines[at] ?? "";
    if (at < lastFenceEnd && fence.test(line)) {
      const end = endOf(lines, at, (other) => !fenceEnd.test(other));
      add({ kind: "code", text: lines.slice(at + 1, end).join("\n") });
      at = end;
    } else if (depth < deepest && quoted.test(line)) {
      const end = endOf(lines, at, (other) => quoted.test(other));
      add({ kind: "quote", inside: read(lines.slice(at, end).map((one) => one.slice(2)), depth + 1) });
      at = end - 1;
    } else if (depth < deepest && begins(line, text.at(-1))) {
      const { list, end } = readList(lines, at, depth);
      add(list);
      at = end - 1;
    } else text.push(line);
  }
  add(undefined);
  return found;
}

/** Whether a list begins there. In the midst of a text a number other than the first is one of a sentence. */
function begins(line: string, before: string | undefined): boolean {
  const [mark, , number] = listed.exec(line) ?? [];
  return mark !== undefined && (number === undefined || number === "1" || before === undefined || blank.test(before));
}

function readList(lines: readonly string[], start: number, depth: number): { list: Block; end: number } {
  const [, indent = "", number] = listed.exec(lines[start] ?? "") ?? [];
  const items: Block[][] = [];
  let at = start;
  while (at < lines.length) {
    const [mark, margin = "", counted] = listed.exec(lines[at] ?? "") ?? [];
    if (mark === undefined || margin.length > indent.length + 1 || (counted === undefined) !== (number === undefined)) break;
    const isWithin = (line: string | undefined) => line !== undefined && !blank.test(line) && leading(line) >= margin.length + 2;
    const end = endOf(lines, at, (line, index) => isWithin(line) || (blank.test(line) && isWithin(lines[index + 1])));
    const rest = lines.slice(at + 1, end);
    const width = Math.min(mark.length, leading(rest.find((line) => !blank.test(line)) ?? ""));
    const inside = rest.map((line) => line.replace(/^\t/, "    ").slice(Math.min(width, leading(line))));
    items.push(read([(lines[at] ?? "").slice(mark.length), ...inside], depth + 1));
    // Items may stand apart.
    at = blank.test(lines[end] ?? "") && listed.test(lines[end + 1] ?? "") ? end + 1 : end;
  }
  return { list: { kind: "list", first: number === undefined ? undefined : Number(number), items }, end: at };
}

/** How far in a line begins; a tab is as good as four spaces. */
function leading(line: string): number {
  const before = /^[ \t]*/.exec(line)?.[0] ?? "";
  return before.startsWith("\t") ? 4 : before.length;
}

/** Where lines end that go on as the one at `start`. */
function endOf(lines: readonly string[], start: number, goesOn: (line: string, index: number) => boolean): number {
  let end = start + 1;
  while (end < lines.length && goesOn(lines[end] ?? "", end)) end += 1;
  return end;
}
