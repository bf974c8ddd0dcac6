/** What of a web address that people wrote in a text is the address. Pure: what it becomes on the page is the view's matter. */

/** Where the address ends that a text begins with, of which no character can be in none. */
export function addressEnd(written: string): number {
  let lone = count(written, ")") - count(written, "(");
  let end = written.length;
  // Punctuation at the end belongs to the sentence, and so does a bracket that was opened before the address.
  for (; end > 0; end -= 1) {
    const last = written.charAt(end - 1);
    if (last === ")" && lone > 0) lone -= 1;
    else if (!/[.,:;!?\]*_~]/.test(last)) break;
  }
  return end;
}

/** Whether words seem to be an address themselves, and could so hide another one behind them. */
export function seemsAddress(words: string): boolean {
  return /:\/\/|[\p{L}\p{N}]\.\p{L}{2}/u.test(words);
}

function count(text: string, character: string): number {
  return text.split(character).length - 1;
}
