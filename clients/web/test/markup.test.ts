/** How what people write is read: as they mean it, and never as more than text. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Inline, inline } from "../src/state/inline";
import { type Block, blocks, plain } from "../src/state/markup";

const kinds = (body: string): string[] => blocks(body).flatMap((block) => (block.kind === "text" ? block.inside.map((part) => part.kind) : [block.kind]));

/** A tree as one may read it: `b(…)` for what is bold, and so on. */
function told(parts: readonly (Block | Inline)[]): string {
  return parts.map((part): string => {
    switch (part.kind) {
      case "list":
        return `${part.first ?? "-"}[${part.items.map(told).join("|")}]`;
      case "link":
        return part.host === undefined ? `<${part.text}>` : `<${part.text}: ${part.href}>`;
      case "text":
        return "inside" in part ? told(part.inside) : part.text;
      case "code":
      case "mention":
        return `${part.kind}(${part.text})`;
      default:
        return `${part.kind}(${told(part.inside)})`;
    }
  }).join("");
}
const read = (body: string) => told(blocks(body));

test("only web addresses become links, without the punctuation around them", () => {
  assert.equal(read("see https://a.example/b?c=d. (http://e.example/f(g)) javascript:alert(1)"),
    "see <https://a.example/b?c=d>. (<http://e.example/f(g)>) javascript:alert(1)");
  assert.equal(read("<b>no</b>"), "<b>no</b>");
  assert.equal(read("**https://a.example/_b_/**"), "strong(<https://a.example/_b_/>)");
});

test("a link with words of its own says where it goes, and hides no address behind another", () => {
  assert.equal(read("[the plan](https://a.example/p_(1)_), _now_"), "<the plan: https://a.example/p_(1)_>, emphasis(now)");
  for (const bad of [
    "[tea](javascript:alert(1))", "[tea](data:text/html,x)", "[tea](//a.example)", "[tea](https://)", "[tea](ftp://a.example)",
    "[](https://)", "[tea] (x)", "[te\na](x)",
  ]) assert.equal(read(bad), bad);
  assert.equal(read("[bank.example](https://evil.example)"), "[bank.example](<https://evil.example>)");
  assert.equal(read("[https://bank.example](https://evil.example)"), "[<https://bank.example>](<https://evil.example>)");
});

test("marks are read as people mean them, and everything else stays text", () => {
  assert.deepEqual(kinds("a **b** _c_ ~~d~~ `e` @ada"), [
    "text", "strong", "text", "emphasis", "text", "struck", "text", "code", "text", "mention",
  ]);
  assert.deepEqual(kinds("snake_case_name 2 * 3 * 4 a@b.example `@ada` <b>"), ["text", "code", "text"]);
  assert.deepEqual(kinds("https://a.example/_b_/**c**/d"), ["link"]);
  assert.equal(read("***both*** and **a _b_** _**c**_ **重点**"), "strong(emphasis(both)) and strong(a emphasis(b)) emphasis(strong(c)) strong(重点)");
  assert.equal(read("**a _b** c_ ~~d `~~` e"), "strong(a _b) c_ ~~d code(~~) e");
  assert.equal(read("*never\nover* a line, ** so ** __init__ **** *"), "*never\nover* a line, ** so ** __init__ **** *");
  assert.equal(read("_@ada_ *@ben*, a@c"), "emphasis(mention(@ada)) emphasis(mention(@ben)), a@c");
});

test("quotes, code and lists stand for themselves, also in each other", () => {
  assert.equal(read("x\n```\n**no** @nobody\n```\n> said\n>\n> _so_"), "xcode(**no** @nobody)quote(said\n\nemphasis(so))");
  assert.equal(read("```\nnever closed"), "```\nnever closed");
  assert.equal(read("to get:\n- tea\n- **milk**\n\n  and sugar\n\nthen go"), "to get:-[tea|strong(milk)\n\nand sugar]then go");
  assert.equal(read("1. a\n2) b\n   - c\n     - d\n3. e"), "1[a|b-[c-[d]]|e]");
  assert.equal(read("- a\n  - b\n    1. c\n- > d"), "-[a-[b1[c]]|quote(d)]");
  assert.equal(read("> - a\n> - b\nc"), "quote(-[a|b])c");
  assert.equal(read("7. seventh\n8. eighth"), "7[seventh|eighth]");
  for (const text of ["It was in\n7. perhaps", "1984. a year", "-5 degrees", "- ", "2.5 l", "---", ">.<"]) assert.equal(read(text), text);
  assert.equal(plain("> so\n**b** `c`\n- [d](https://e.example)"), "so b c d");
});

test("nothing that is said is lost, whatever it looks like", () => {
  const pieces = ["*", "**", "_", "~~", "`x`", "[a](https://b.example)", "[", "](", ")", "> ", "- ", "1. ", "  ", "\n", " ", "c", "@ada", "http://d.example/"];
  let seed = 7;
  const drawn = () => (seed = (seed * 1103515245 + 12345) % 2147483648) / 2147483648;
  for (let round = 0; round < 3_000; round += 1) {
    const body = Array.from({ length: 30 }, () => pieces[Math.floor(drawn() * pieces.length)]).join("");
    const letters = (text: string) => text.replace(/code|mention|strong|emphasis|struck|quote/g, "").replace(/[^a-z]/g, "");
    assert.equal(letters(read(body)), letters(body), JSON.stringify(body));
  }
});

test("who writes what is long to read stops nobody", { timeout: 20_000 }, () => {
  for (const piece of ["**a ", "*a* ", "_a", "`", "[", "[a](http://", "http://a)", ")", "> ", "- ", "- a\n", "```a\n", "@.", "~~", "\n", "  - a\n"]) {
    const body = piece.repeat(8_000 / piece.length);
    for (let round = 0; round < 20; round += 1) blocks(body);
    blocks(`http://a${body}`);
    plain(body);
  }
  const deep = read(`${"> ".repeat(4_000)}a`);
  assert.equal(deep.match(/quote/g)?.length, 4, "what is deep is drawn flat");
  assert.deepEqual(inline(""), []);
});
