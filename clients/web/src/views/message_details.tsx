/** What else there is to know of a message: when it was said, who has read it, and what it said before. */

import { useEffect, useState } from "preact/hooks";
import type { Receipt, Version } from "@chatx/sdk";
import { nameOf } from "../state/names";
import type { RoomState } from "../state/room";
import { api, me } from "../state/session";
import { clockTime, fullTime } from "../state/times";
import type { MessageItem } from "../state/timeline";
import { attempt } from "../state/toasts";
import { strings } from "../strings";
import { Avatar } from "./avatar";
import { Dialog } from "./dialog";
import { Text } from "./text";

export function MessageDetails({ room, item, onClose }: { room: RoomState; item: MessageItem; onClose(): void }) {
  const [receipts, setReceipts] = useState<readonly Receipt[]>();
  const [versions, setVersions] = useState<readonly Version[]>();
  useEffect(() => {
    void attempt(async () => setReceipts((await api.receipts(room.id, item.seq, { limit: 100 })).receipts));
    if (item.edited) void attempt(async () => setVersions(await api.versions(room.id, item.seq)));
  }, [room, item]);
  const readers = receipts?.filter(({ user }) => user.id !== item.user.id && user.id !== me.value?.id);
  return (
    <Dialog title={strings.messageDetails.title} onClose={onClose}>
      <p class="muted">{strings.messageDetails.said(nameOf(item.user), fullTime(item.at))}</p>
      <section class="setting" data-testid="readers">
        <h3>{strings.messageDetails.readBy}</h3>
        {readers?.length === 0 && <p class="muted">{strings.messageDetails.nobody}</p>}
        <ul class="members">
          {readers?.map(({ user }) => (
            <li key={user.id} class="member">
              <Avatar user={user} small />
              <span class="member-name">{nameOf(user)}</span>
            </li>
          ))}
        </ul>
      </section>
      {item.edited && (
        <section class="versions" data-testid="versions">
          <h3>{strings.messageDetails.before}</h3>
          <ul>
            {versions?.map((version) => (
              <li key={version.at}>
                <time dateTime={version.at} title={fullTime(version.at)}>{clockTime(version.at)}</time>
                <div class="message-body"><Text body={version.body} /></div>
              </li>
            ))}
          </ul>
        </section>
      )}
    </Dialog>
  );
}
