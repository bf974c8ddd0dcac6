/** A body as people wrote it, with its little markup: nothing in it is read as HTML. */

import { Fragment, type JSX } from "preact";
import type { Mention } from "@chatx/sdk";
import type { Inline } from "../state/inline";
import { type Block, blocks } from "../state/markup";
import { me } from "../state/session";

interface TextProps {
  body: string;
  /** Whom it calls, as the server says: other `@words` are only words. */
  mentions?: readonly Mention[];
}

export function Text({ body, mentions = [] }: TextProps) {
  const called = new Set(mentions.map((mention) => mention.username));
  return <>{drawn(blocks(body), called)}</>;
}

function drawn(all: readonly Block[], called: ReadonlySet<string>): JSX.Element[] {
  return all.map((block, index) => {
    switch (block.kind) {
      case "text":
        return <Fragment key={index}>{parts(block.inside, called)}</Fragment>;
      case "code":
        return <pre key={index} class="code-block"><code>{block.text}</code></pre>;
      case "quote":
        return <blockquote key={index} class="quote">{drawn(block.inside, called)}</blockquote>;
      case "list": {
        const items = block.items.map((item, at) => <li key={at}>{drawn(item, called)}</li>);
        return block.first === undefined ? <ul key={index}>{items}</ul> : <ol key={index} start={block.first}>{items}</ol>;
      }
    }
  });
}

function parts(inside: readonly Inline[], called: ReadonlySet<string>): (JSX.Element | string)[] {
  return inside.map((part, index) => {
    switch (part.kind) {
      case "text":
        return part.text;
      case "code":
        return <code key={index}>{part.text}</code>;
      case "link":
        return (
          <Fragment key={index}>
            <a href={part.href} title={part.host === undefined ? undefined : part.href} target="_blank" rel="noopener noreferrer nofollow">{part.text}</a>
            {part.host !== undefined && <span class="host"> ({part.host})</span>}
          </Fragment>
        );
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
