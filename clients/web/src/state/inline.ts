/**
 * Reads the marks within a text: `**bold**`, `_italic_`, `~~struck~~`, `` `code` ``, web addresses, `[words](address)` and
 * `@names`. Pure, and in one pass however the marks stand, for who writes may mean no good.
 */

import { addressEnd, seemsAddress } from "./links";

export type Inline =
  | { kind: "text"; text: string }
  /** `host` where the text is not the address: whoever follows it should know where to. */
  | { kind: "link"; text: string; href: string; host?: string }
  | { kind: "code"; text: string }
  | { kind: "mention"; text: string; username: string }
  | { kind: "strong" | "emphasis" | "struck"; inside: Inline[] };

/** A mark that was opened, and what came since; the first one stands for the whole text. */
interface Frame {
  mark: string;
  parts: Inline[];
}

const kinds = { "**": "strong", "*": "emphasis", _: "emphasis", "~~": "struck" } as const;
type Mark = keyof typeof kinds;

const special = /[`[*_~@\n]|:\/\//;
const token = new RegExp(
  [
    /`(?<code>[^`\n]+)`/,
    /\[(?<words>[^[\]\n]{1,200})\]\((?<href>https?:\/\/(?:[^\s<>"'`{}|\\^()]|\([^\s<>"'`{}|\\^()]*\))+)\)/,
    // An address may hold any of the marks, so it goes before them.
    /(?<![a-z0-9])(?<address>https?:\/\/[^\s<>"'`{}|\\^[\]]+)/,
    /(?<run>\*+|_+|~+)/,
    /\n/,
  ].map((one) => one.source).join("|"),
  "gi",
);

export function inline(text: string): Inline[] {
  if (!special.test(text)) return text === "" ? [] : [{ kind: "text", text }];
  const frames: Frame[] = [{ mark: "", parts: [] }];
  let from = 0;
  token.lastIndex = 0;
  for (let match = token.exec(text); match !== null; match = token.exec(text)) {
    const { code, words, href, address, run } = match.groups ?? {};
    let end = token.lastIndex;
    write(frames, text.slice(from, match.index));
    if (code !== undefined) put(frames, { kind: "code", text: code });
    else if (words !== undefined && href !== undefined) {
      if (seemsAddress(words) || !URL.canParse(href)) write(frames, text.slice(match.index, (end = match.index + 1)));
      else put(frames, { kind: "link", text: words, href, host: new URL(href).host });
    } else if (address !== undefined) {
      const link = address.slice(0, addressEnd(address));
      end = match.index + link.length;
      if (URL.canParse(link)) put(frames, { kind: "link", text: link, href: link });
      else write(frames, link);
    } else if (run !== undefined) {
      mark(frames, run, text.charAt(match.index - 1), text.charAt(end));
    } else {
      // No mark goes over the end of a line.
      letGo(frames, 1);
      write(frames, "\n");
    }
    token.lastIndex = from = end;
  }
  write(frames, text.slice(from));
  letGo(frames, 1);
  return called(frames[0]?.parts ?? []);
}

/** The marks stand at the edges of words, so that `snake_case` and `2 * 3 * 4` stay what they are. */
function mark(frames: Frame[], run: string, before: string, after: string): void {
  const marks: readonly string[] = run === "***" ? ["**", "*"] : [run];
  const opens = /^\S/.test(after) && !/[a-z0-9@]/i.test(before);
  const closes = /\S$/.test(before) && !/[a-z0-9]/i.test(after);
  const openAt = (one: string) => frames.findIndex((frame) => frame.mark === one);
  if (closes && marks.some((one) => openAt(one) > 0)) {
    for (const one of [...marks].sort((a, b) => openAt(b) - openAt(a))) {
      if (openAt(one) > 0) close(frames, openAt(one));
      else write(frames, one);
    }
  } else if (opens && marks.every((one) => one in kinds && openAt(one) < 0)) {
    for (const one of marks) frames.push({ mark: one, parts: [] });
  } else write(frames, run);
}

function close(frames: Frame[], at: number): void {
  letGo(frames, at + 1);
  const frame = frames.pop();
  if (frame !== undefined) put(frames, { kind: kinds[frame.mark as Mark], inside: frame.parts });
}

/** Marks from there on were opened and never closed: they are only text. */
function letGo(frames: Frame[], from: number): void {
  for (const frame of frames.splice(from)) {
    write(frames, frame.mark);
    for (const part of frame.parts) {
      if (part.kind === "text") write(frames, part.text);
      else put(frames, part);
    }
  }
}

function put(frames: readonly Frame[], part: Inline): void {
  frames.at(-1)?.parts.push(part);
}

function write(frames: readonly Frame[], text: string): void {
  const last = frames.at(-1)?.parts.at(-1);
  if (last?.kind === "text") last.text += text;
  else if (text !== "") put(frames, { kind: "text", text });
}

const name = /(?<![\p{L}\p{N}_.@/-])@([a-z0-9_.-]*[a-z0-9_])/giu;

function called(parts: readonly Inline[]): Inline[] {
  return parts.flatMap((part): Inline[] => {
    if (part.kind === "text") return part.text.includes("@") ? mentioned(part.text) : [part];
    return ["inside" in part ? { ...part, inside: called(part.inside) } : part];
  });
}

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
