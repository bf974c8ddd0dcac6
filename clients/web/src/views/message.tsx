/** One line of the log: a message, a quiet notice, or a message that is still on its way. */

import { Component } from "preact";
import type { OutboxEntry, Seq, UserRef } from "@chatx/sdk";
import { writeAgain } from "../state/attachments";
import { dialog } from "../state/dialogs";
import { gist } from "../state/files";
import { nameOf } from "../state/names";
import { atLeast } from "../state/permissions";
import type { RoomState } from "../state/room";
import { chat, me } from "../state/session";
import { clockTime, fullTime, moment } from "../state/times";
import { type Item, mentions, type MessageItem, type NoticeEvent, type NoticeItem } from "../state/timeline";
import { codeText, strings } from "../strings";
import { Avatar, hueOf } from "./avatar";
import { Files } from "./files";
import { Icon, type IconName } from "./icons";
import { Menu, MenuItem } from "./menu";
import { showPerson } from "./person";
import { Text } from "./text";

/** What can be done with a message; one object for as long as the room is open. */
export interface MessageActions {
  edit(item: MessageItem): void;
  delete(item: MessageItem): void;
  reply(item: MessageItem): void;
  thread(root: Seq): void;
  react(item: MessageItem, emoji: string): void;
  pickReaction(item: MessageItem): void;
  pin(item: MessageItem): void;
  details(item: MessageItem): void;
  copyLink(item: MessageItem): void;
  /** Goes to another message. */
  seek(seq: Seq): void;
}

interface RowProps {
  item: Item;
  room: RoomState;
  /** Whether it stands under its sender's name, not under a message of theirs. */
  lead: boolean;
  own: boolean;
  mayDelete: boolean;
  editing: boolean;
  /** Whether it is the one that somebody just went to. */
  found: boolean;
  /** The message that it answers, if that is loaded. */
  replied: MessageItem | undefined;
  /** Whether it is shown within its thread, where nobody needs to be told of that. */
  inThread?: boolean;
  actions: MessageActions;
}

/** What a key does with the message that has the focus. */
const keys: Record<string, (props: RowProps, item: MessageItem) => void> = {
  r: ({ actions, inThread }, item) => inThread !== true && actions.reply(item),
  t: ({ actions, inThread }, item) => inThread !== true && actions.thread(item.thread ?? item.seq),
  s: ({ actions }, item) => actions.pickReaction(item),
  e: ({ actions, inThread, own }, item) => own && inThread !== true && item.body !== "" && actions.edit(item),
  delete: ({ actions, own, mayDelete }, item) => (own || mayDelete) && actions.delete(item),
};

interface RowState {
  /** Whether somebody points at it, or has the focus in it: only then it has its tools, for a long log has many lines. */
  touched: boolean;
}

/** Drawn again only when something of its own changed: a long log stays cheap while it grows. */
export class Row extends Component<RowProps, RowState> {
  override state: RowState = { touched: false };
  private readonly touch = () => this.setState({ touched: true });
  /** A menu that is open keeps its tools, and so does the focus of somebody who goes by keys. */
  private readonly leave = (event: PointerEvent | FocusEvent) => {
    const line = event.currentTarget as Element;
    if (event.type === "focusout" && event.relatedTarget instanceof Node && line.contains(event.relatedTarget)) return;
    if (line.querySelector(":popover-open, :focus-visible") === null) this.setState({ touched: false });
  };

  override shouldComponentUpdate(next: RowProps, state: RowState): boolean {
    return state.touched !== this.state.touched || (Object.keys(next) as (keyof RowProps)[]).some((key) => next[key] !== this.props[key]);
  }

  override render() {
    const { item } = this.props;
    if (item.type === "notice") return <Notice item={item} />;
    return <Message {...this.props} item={item} touched={this.state.touched} touch={this.touch} leave={this.leave} />;
  }
}

function Message(props: RowProps & RowState & { item: MessageItem; touch(): void; leave(event: PointerEvent | FocusEvent): void }) {
  const { item, room, lead, own, editing, found, actions } = props;
  const called = !own && mentions(item, me.value?.id);
  const mayChange = !item.deleted && room.info.peek().archived_at == null;
  const kind = ["message", lead && "lead", own && "own", editing && "editing", found && "found", called && "called"];
  return (
    <div
      class={kind.filter(Boolean).join(" ")}
      tabIndex={0}
      role="article"
      aria-label={strings.conversation.said(nameOf(item.user), clockTime(item.at))}
      data-testid="message"
      data-seq={item.seq}
      onKeyDown={(event) => {
        const isPlain = !event.ctrlKey && !event.altKey && !event.metaKey && event.target === event.currentTarget;
        const act = isPlain && mayChange ? keys[event.key.toLowerCase()] : undefined;
        if (act === undefined) return;
        // The box that may take the focus takes no letter with it.
        event.preventDefault();
        act(props, item);
      }}
      onPointerEnter={props.touch}
      onFocusIn={props.touch}
      onPointerLeave={props.leave}
      onFocusOut={props.leave}
    >
      <Gutter lead={lead} user={item.user} at={item.at} />
      <div class="message-content">
        {item.thread !== undefined && !props.inThread && (
          <Above icon="thread" testid="thread" about={room.message(item.thread)} onClick={() => actions.thread(item.thread ?? item.seq)} />
        )}
        {item.replyTo !== undefined && !props.inThread && (
          <Above icon="reply" testid="replied" about={props.replied} onClick={() => actions.seek(item.replyTo ?? item.seq)} />
        )}
        {lead && <Byline user={item.user} at={item.at} />}
        {item.deleted ? (
          <p class="tombstone">{strings.conversation.deleted}</p>
        ) : item.body !== "" && (
          <div class="message-body" data-testid="message-body">
            <Text body={item.body} mentions={item.mentions} />
            {item.edited && (
              <button type="button" class="edited" title={strings.messageDetails.before} onClick={() => actions.details(item)}>
                {strings.conversation.edited}
              </button>
            )}
          </div>
        )}
        {item.files.length > 0 && <Files files={item.files} room={room.id} said={item} />}
        <Marks item={item} inThread={props.inThread === true} actions={actions} />
      </div>
      {props.touched && mayChange && <Toolbar {...props} />}
    </div>
  );
}

interface AboveProps {
  icon: IconName;
  testid: string;
  /** The message that is answered, if it is loaded. */
  about: MessageItem | undefined;
  onClick(): void;
}

/** The line above an answer: whom it answers, and what they said. */
function Above({ icon, testid, about, onClick }: AboveProps) {
  const thread = icon === "thread";
  return (
    <button type="button" class={thread ? "above thread" : "above"} data-testid={testid} onClick={onClick}>
      <Icon name={icon} />
      {about === undefined ? (
        <span>{thread ? strings.conversation.inThread : strings.conversation.earlier}</span>
      ) : (
        <>
          <strong>{nameOf(about.user)}</strong>
          <span>{about.deleted ? strings.conversation.deleted : gist(about)}</span>
        </>
      )}
    </button>
  );
}

/** What stands below a message: signs, its thread, its pin. */
function Marks({ item, inThread, actions }: { item: MessageItem; inThread: boolean; actions: MessageActions }) {
  const answered = item.replies > 0 && !inThread;
  if (item.reactions.length === 0 && !answered && !item.pinned) return null;
  return (
    <div class="marks">
      {item.reactions.map(({ emoji, count, me: mine }) => (
        <button
          key={emoji}
          type="button"
          class="reaction"
          aria-pressed={mine}
          aria-label={strings.conversation.reaction(emoji, count)}
          data-testid="reaction"
          onClick={() => actions.react(item, emoji)}
        >
          <span aria-hidden="true">{emoji}</span>
          <span aria-hidden="true" class="count">{count}</span>
        </button>
      ))}
      {answered && (
        <button type="button" class="thread-link" data-testid="thread" onClick={() => actions.thread(item.seq)}>
          <Icon name="thread" />
          {strings.conversation.replies(item.replies)}
        </button>
      )}
      {item.pinned && <span class="pinned"><Icon name="pin" />{strings.conversation.pinned}</span>}
    </div>
  );
}

function Toolbar({ item, room, own, mayDelete, inThread, actions }: RowProps & { item: MessageItem }) {
  const texts = strings.conversation;
  const mayPin = atLeast(room.info.value.role, "moderator") || room.info.value.visibility === "direct";
  return (
    <div class="message-actions">
      <Tool icon="smile" label={texts.react} testid="react" onClick={() => actions.pickReaction(item)} />
      {!inThread && (
        <>
          <Tool icon="reply" label={texts.reply} testid="reply" onClick={() => actions.reply(item)} />
          <Tool icon="thread" label={texts.openThread} testid="open-thread" onClick={() => actions.thread(item.thread ?? item.seq)} />
        </>
      )}
      <Menu label={texts.more} testid="more">
        {() => (
          <>
            {own && !inThread && item.body !== "" && <MenuItem icon="edit" testid="edit" onChoose={() => actions.edit(item)}>{texts.edit}</MenuItem>}
            <MenuItem icon="link" testid="copy-link" onChoose={() => actions.copyLink(item)}>{texts.copyLink}</MenuItem>
            <MenuItem icon="eye" testid="message-details" onChoose={() => actions.details(item)}>{strings.messageDetails.title}</MenuItem>
            {mayPin && (
              <MenuItem icon="pin" testid="pin" onChoose={() => actions.pin(item)}>{item.pinned ? texts.unpin : texts.pin}</MenuItem>
            )}
            {!own && <MenuItem icon="flag" testid="report" onChoose={() => (dialog.value = { kind: "report", room: room.id, seq: item.seq })}>{strings.reports.report}</MenuItem>}
            {(own || mayDelete) && (
              <MenuItem icon="trash" bad testid="delete" onChoose={() => actions.delete(item)}>{texts.delete}</MenuItem>
            )}
          </>
        )}
      </Menu>
    </div>
  );
}

function Tool({ icon, label, testid, onClick }: { icon: IconName; label: string; testid: string; onClick(): void }) {
  return (
    <button type="button" class="icon-button" aria-label={label} title={label} data-testid={testid} onClick={onClick}>
      <Icon name={icon} />
    </button>
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
      <button type="button" class={`name hue-${hueOf(user.id)}`} title={`@${user.username}`} data-testid="byline" onClick={() => showPerson(user)}>
        {nameOf(user)}
      </button>
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
        {entry.body !== "" && (
          <div class="message-body" data-testid="message-body">
            <Text body={entry.body} />
          </div>
        )}
        {(entry.files?.length ?? 0) > 0 && <Files files={entry.files ?? []} room={entry.room} />}
        {failed ? (
          <Failure entry={entry} />
        ) : (
          <span class="pending" title={live ? strings.conversation.sending : strings.conversation.waiting}>
            <span class="visually-hidden">{live ? strings.conversation.sending : strings.conversation.waiting}</span>
          </span>
        )}
      </div>
    </div>
  );
}

/** Why it was refused, and what can be done about it. */
function Failure({ entry }: { entry: OutboxEntry }) {
  const { client_id, failure, files } = entry;
  // The server keeps a file that no message took for some hours only.
  const gone = failure === "file_not_found" && files !== undefined;
  return (
    <p class="failure" role="alert">
      <span>
        {strings.conversation.failed}
        {failure !== undefined && `: ${codeText(failure)}`}
      </span>
      {gone && (
        <button type="button" class="link" data-testid="write-again" onClick={() => writeAgain(entry)}>
          {strings.files.attachAgain}
        </button>
      )}
      {gone && entry.body !== "" && (
        <button type="button" class="link" data-testid="send-without" onClick={() => chat.live?.sendWithoutFiles(client_id)}>
          {strings.files.sendWithout}
        </button>
      )}
      {!gone && (
        <button type="button" class="link" onClick={() => chat.live?.sendAgain(client_id)}>
          {strings.conversation.sendAgain}
        </button>
      )}
      <button type="button" class="link" onClick={() => chat.live?.discard(client_id)}>
        {strings.conversation.discard}
      </button>
    </p>
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
      return texts.ban(nameOf(event.member), event.until == null ? undefined : moment(event.until), event.reason ?? undefined);
    case "unban":
      return texts.unban(nameOf(event.member));
    case "mute":
      return event.until == null ? texts.unmute(nameOf(event.member)) : texts.mute(nameOf(event.member), moment(event.until));
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
