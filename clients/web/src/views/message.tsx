/** One line of the log: a message, a quiet notice, or a message that is still on its way. */

import { Component } from "preact";
import type { OutboxEntry, UserRef } from "@chatx/sdk";
import { chat } from "../state/session";
import { nameOf } from "../state/names";
import { clockTime, fullTime } from "../state/times";
import type { Item, MessageItem, NoticeEvent, NoticeItem } from "../state/timeline";
import { codeText, strings } from "../strings";
import { Avatar, hueOf } from "./avatar";
import { Icon } from "./icons";
import { Text } from "./text";

interface RowProps {
  item: Item;
  /** Whether it stands under its sender's name, not under a message of theirs. */
  lead: boolean;
  own: boolean;
  mayDelete: boolean;
  editing: boolean;
  onEdit(item: MessageItem): void;
  onDelete(item: MessageItem): void;
}

/** Drawn again only when something of its own changed: a long log stays cheap while it grows. */
export class Row extends Component<RowProps> {
  override shouldComponentUpdate(next: RowProps): boolean {
    return (Object.keys(next) as (keyof RowProps)[]).some((key) => next[key] !== this.props[key]);
  }

  override render() {
    const { item } = this.props;
    return item.type === "notice" ? <Notice item={item} /> : <Message {...this.props} item={item} />;
  }
}

function Message({ item, lead, own, mayDelete, editing, onEdit, onDelete }: RowProps & { item: MessageItem }) {
  const kind = `message${lead ? " lead" : ""}${own ? " own" : ""}${editing ? " editing" : ""}`;
  return (
    <div class={kind} data-testid="message" data-seq={item.seq}>
      <Gutter lead={lead} user={item.user} at={item.at} />
      <div class="message-content">
        {lead && <Byline user={item.user} at={item.at} />}
        {item.deleted ? (
          <p class="tombstone">{strings.conversation.deleted}</p>
        ) : (
          <p class="message-body" data-testid="message-body">
            <Text body={item.body} />
            {item.edited && <span class="edited"> ({strings.conversation.edited})</span>}
          </p>
        )}
      </div>
      {!item.deleted && (own || mayDelete) && (
        <div class="message-actions">
          {own && (
            <button type="button" class="icon-button" aria-label={strings.conversation.edit} title={strings.conversation.edit}
              data-testid="edit" onClick={() => onEdit(item)}>
              <Icon name="edit" />
            </button>
          )}
          <button type="button" class="icon-button" aria-label={strings.conversation.delete} title={strings.conversation.delete}
            data-testid="delete" onClick={() => onDelete(item)}>
            <Icon name="trash" />
          </button>
        </div>
      )}
    </div>
  );
}

function Gutter({ lead, user, at }: { lead: boolean; user: UserRef; at: string }) {
  return (
    <div class="gutter">
      {lead ? <Avatar user={user} /> : <time dateTime={at} title={fullTime(at)}>{clockTime(at)}</time>}
    </div>
  );
}

function Byline({ user, at }: { user: UserRef; at: string }) {
  return (
    <p class="byline">
      <strong class={`name hue-${hueOf(user.id)}`} title={`@${user.username}`}>{nameOf(user)}</strong>
      <time dateTime={at} title={fullTime(at)}>{clockTime(at)}</time>
    </p>
  );
}

/** A message that is ours, before it has its place. */
export function Unsent({ entry, lead, user, live }: { entry: OutboxEntry; lead: boolean; user: UserRef; live: boolean }) {
  const failed = entry.state === "failed";
  return (
    <div class={`message own unsent${lead ? " lead" : ""}${failed ? " failed" : ""}`} data-testid="message" data-state={entry.state}>
      <Gutter lead={lead} user={user} at={entry.at} />
      <div class="message-content">
        {lead && <Byline user={user} at={entry.at} />}
        <p class="message-body" data-testid="message-body">
          <Text body={entry.body} />
        </p>
        {failed ? (
          <p class="failure" role="alert">
            <span>
              {strings.conversation.failed}
              {entry.failure !== undefined && `: ${codeText(entry.failure)}`}
            </span>
            <button type="button" class="link" onClick={() => chat.live?.sendAgain(entry.client_id)}>
              {strings.conversation.sendAgain}
            </button>
            <button type="button" class="link" onClick={() => chat.live?.discard(entry.client_id)}>
              {strings.conversation.discard}
            </button>
          </p>
        ) : (
          <span class="pending" title={live ? strings.conversation.sending : strings.conversation.waiting}>
            <span class="visually-hidden">{live ? strings.conversation.sending : strings.conversation.waiting}</span>
          </span>
        )}
      </div>
    </div>
  );
}

function Notice({ item }: { item: NoticeItem }) {
  return (
    <p class="notice" data-seq={item.seq}>
      <span>
        <strong>{nameOf(item.event.user)}</strong> {noticeText(item.event)}
      </span>
      <time dateTime={item.at} title={fullTime(item.at)}>{clockTime(item.at)}</time>
    </p>
  );
}

function noticeText(event: NoticeEvent): string {
  const texts = strings.notices;
  switch (event.kind) {
    case "join":
      return texts.join;
    case "leave":
      return texts.leave;
    case "kick":
      return texts.kick(nameOf(event.member));
    case "ban":
      return texts.ban(nameOf(event.member));
    case "unban":
      return texts.unban(nameOf(event.member));
    case "mute":
      return event.until == null ? texts.unmute(nameOf(event.member)) : texts.mute(nameOf(event.member), clockTime(event.until));
    case "role":
      return texts.role(nameOf(event.member), strings.roles[event.role ?? "member"]);
    case "room": {
      const changes = Object.keys(event.changes).map((name) => texts.changes[name] ?? name);
      return texts.room(changes.join(", ") || texts.someChange);
    }
    case "archive":
      return event.archived ? texts.archive : texts.unarchive;
  }
}
