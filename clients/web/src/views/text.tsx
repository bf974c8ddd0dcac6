/** A body as people wrote it, with its little markup: nothing in it is read as HTML. */

import { Fragment, type JSX } from "preact";
import type { Mention } from "@chatx/sdk";
import { blocks, type Inline } from "../state/markup";
import { me } from "../state/session";

interface TextProps {
  body: string;
  /** Whom it calls, as the server says: other `@words` are only words. */
  mentions?: readonly Mention[];
}

export function Text({ body, mentions = [] }: TextProps) {
  const called = new Set(mentions.map((mention) => mention.username));
  return (
    <>
      {blocks(body).map((block, index) => {
        if (block.kind === "code") return <code key={index} class="code-block">{block.text}</code>;
        if (block.kind === "quote") return <q key={index} class="quote">{parts(block.inside, called)}</q>;
        return <Fragment key={index}>{parts(block.inside, called)}</Fragment>;
      })}
    </>
  );
}

function parts(inside: readonly Inline[], called: ReadonlySet<string>): (JSX.Element | string)[] {
  return inside.map((part, index) => {
    switch (part.kind) {
      case "text":
        return part.text;
      case "code":
        return <code key={index}>{part.text}</code>;
      case "link":
        return <a key={index} href={part.href} target="_blank" rel="noopener noreferrer nofollow">{part.text}</a>;
      case "mention":
        if (!called.has(part.username)) return part.text;
        return <span key={index} class={isMe(part.username) ? "mention self" : "mention"}>{part.text}</span>;
      case "strong":
        return <strong key={index}>{parts(part.inside, called)}</strong>;
      case "emphasis":
        return <em key={index}>{parts(part.inside, called)}</em>;
      case "struck":
        return <s key={index}>{parts(part.inside, called)}</s>;
    }
  });
}

function isMe(username: string): boolean {
  return username === "room" || username === me.value?.username;
}
