/**
 * Reads the little markup that people write: `**bold**`, `_italic_`, `~~struck~~`, `` `code` ``, fenced code, quotes,
 * web addresses and `@names`. Pure: it answers a tree, and what that becomes on the page is the view's matter.
 */

import { pieces } from "./links";

export type Inline =
  | { kind: "text"; text: string }
  | { kind: "link"; text: string; href: string }
  | { kind: "code"; text: string }
  | { kind: "mention"; text: string; username: string }
  | { kind: "strong" | "emphasis" | "struck"; inside: Inline[] };

export type Block = { kind: "text"; inside: Inline[] } | { kind: "quote"; inside: Inline[] } | { kind: "code"; text: string };

/** The text on one line without its marks, to tell of it in short. */
export function plain(body: string): string {
  const text = (part: Inline): string => ("inside" in part ? part.inside.map(text).join("") : part.text);
  return blocks(body.slice(0, longestInShort)).map((block) => ("inside" in block ? block.inside.map(text).join("") : block.text)).join(" ");
}

const longestInShort = 240;
const fence = /^ {0,3}```[^`]*$/;

export function blocks(body: string): Block[] {
  const found: Block[] = [];
  const lines = body.split("\n");
  let plain: string[] = [];
  let quoted: string[] = [];

  function flush(): void {
    if (plain.length > 0) found.push({ kind: "text", inside: inline(plain.join("\n")) });
    if (quoted.length > 0) found.push({ kind: "quote", inside: inline(quoted.join("\n")) });
    plain = [];
    quoted = [];
  }

  for (let at = 0; at < lines.length; at += 1) {
    const line = lines[at] ?? "";
    const end = fence.test(line) ? lines.findIndex((other, index) => index > at && /^ {0,3}```\s*$/.test(other)) : -1;
    if (end > at) {
      flush();
      found.push({ kind: "code", text: lines.slice(at + 1, end).join("\n") });
      at = end;
    } else if (line.startsWith("> ")) {
      if (plain.length > 0) flush();
      quoted.push(line.slice(2));
    } else {
      if (quoted.length > 0) flush();
      plain.push(line);
    }
  }
  flush();
  return found;
}

const codeSpan = /`([^`\n]+)`/;
/** The marks stand at the edges of words, so that `snake_case` and `2 * 3 * 4` stay what they are. */
const spans: readonly [RegExp, "strong" | "emphasis" | "struck"][] = [
  [/(?<![\w*])\*\*(?=\S)([^\n]+?)(?<=\S)\*\*(?![\w*])/, "strong"],
  [/(?<![\w~])~~(?=\S)([^\n]+?)(?<=\S)~~(?![\w~])/, "struck"],
  [/(?<![\w_])_(?=\S)([^\n_]+?)(?<=\S)_(?![\w_])/, "emphasis"],
  [/(?<![\w*])\*(?=\S)([^\n*]+?)(?<=\S)\*(?![\w*])/, "emphasis"],
];

export function inline(text: string): Inline[] {
  const code = codeSpan.exec(text);
  if (code !== null) {
    return [...inline(text.slice(0, code.index)), { kind: "code", text: code[1] ?? "" }, ...inline(text.slice(code.index + code[0].length))];
  }
  // An address may hold any of the marks: it goes first.
  return pieces(text).flatMap((piece): Inline[] =>
    piece.href === undefined ? marked(piece.text) : [{ kind: "link", text: piece.text, href: piece.href }],
  );
}

function marked(text: string): Inline[] {
  for (const [mark, kind] of spans) {
    const match = mark.exec(text);
    if (match === null) continue;
    const after = text.slice(match.index + match[0].length);
    return [...marked(text.slice(0, match.index)), { kind, inside: marked(match[1] ?? "") }, ...marked(after)];
  }
  return mentioned(text);
}

const name = /(?<![\p{L}\p{N}_.@/-])@([a-z0-9_.-]*[a-z0-9_])/giu;

function mentioned(text: string): Inline[] {
  const found: Inline[] = [];
  let from = 0;
  for (const match of text.matchAll(name)) {
    if (match.index > from) found.push({ kind: "text", text: text.slice(from, match.index) });
    found.push({ kind: "mention", text: match[0], username: (match[1] ?? "").toLowerCase() });
    from = match.index + match[0].length;
  }
  if (from < text.length) found.push({ kind: "text", text: text.slice(from) });
  return found;
}
