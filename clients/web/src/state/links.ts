/** Finds the web addresses in a text. Pure: what they become on the page is the view's matter. */

export type Piece = { text: string; href?: string };

const address = /\bhttps?:\/\/[^\s<>"'`{}|\\^]+/gi;

/** The whole text again, in pieces; only `http` and `https` addresses have an `href`. */
export function pieces(text: string): Piece[] {
  const found: Piece[] = [];
  let from = 0;
  for (const match of text.matchAll(address)) {
    const link = trimEnd(match[0]);
    if (!URL.canParse(link)) continue;
    if (match.index > from) found.push({ text: text.slice(from, match.index) });
    found.push({ text: link, href: link });
    from = match.index + link.length;
  }
  if (from < text.length) found.push({ text: text.slice(from) });
  return found;
}

/** Punctuation at the end belongs to the sentence, and so does a bracket that was opened before the address. */
function trimEnd(link: string): string {
  let end = link.length;
  for (;;) {
    const last = link.charAt(end - 1);
    const kept = link.slice(0, end);
    const loneBracket = last === ")" && kept.split(")").length > kept.split("(").length;
    if (!/[.,:;!?\]*_~]/.test(last) && !loneBracket) return kept;
    end -= 1;
  }
}
