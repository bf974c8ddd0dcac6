/** The files of a message that is being written: how far each is uploaded, and the ways out. */

import { useEffect, useState } from "preact/hooks";
import type { Attachment, Attachments } from "../state/attachments";
import { isPicture, sizeText } from "../state/files";
import { chat } from "../state/session";
import { strings } from "../strings";
import { Icon } from "./icons";

export function AttachmentTray({ attachments }: { attachments: Attachments }) {
  const list = attachments.list.value;
  if (list.length === 0) return null;
  return (
    <ul class="tray" aria-label={strings.files.attached} data-testid="tray">
      {list.map((attachment) => (
        <Attached key={attachment.key} attachment={attachment} attachments={attachments} />
      ))}
    </ul>
  );
}

function Attached({ attachment, attachments }: { attachment: Attachment; attachments: Attachments }) {
  const { key, name, state, file } = attachment;
  const picture = file !== undefined && isPicture(file) ? file : undefined;
  return (
    <li class={`attachment ${state}`} data-testid="attachment" data-state={state}>
      {picture === undefined ? (
        <span class="file-mark"><Icon name="file" /></span>
      ) : (
        <img class="file-mark" src={chat.fileUrl(picture.id, "thumbnail")} alt="" />
      )}
      <span class="attachment-text">
        <span class="attachment-name" title={name}>{name}</span>
        <Progress attachment={attachment} />
      </span>
      {state === "failed" && (
        <button type="button" class="icon-button" aria-label={strings.files.retry(name)} title={strings.files.retry(name)}
          data-testid="retry-upload" onClick={() => attachments.retry(key)}>
          <Icon name="retry" />
        </button>
      )}
      <button type="button" class="icon-button" aria-label={strings.files.remove(name)} title={strings.files.remove(name)}
        data-testid="remove-attachment" onClick={() => attachments.remove(key)}>
        <Icon name="close" />
      </button>
    </li>
  );
}

function Progress({ attachment: { name, size, state, sent, problem } }: { attachment: Attachment }) {
  switch (state) {
    case "failed":
      return <span class="error" role="alert">{problem}</span>;
    case "interrupted":
      return <span class="error">{strings.files.interrupted}</span>;
    case "done":
      return <span class="muted">{sizeText(size)}</span>;
    default:
      return <progress max={Math.max(1, size)} value={sent} aria-label={strings.files.progress(name)} />;
  }
}

/** Takes what is dropped on the pane that `inside` is in; answers whether something is held over it. */
export function useDrop(inside: { current: HTMLElement | null }, take: (files: readonly File[]) => void): boolean {
  const [over, setOver] = useState(false);
  useEffect(() => {
    const pane = inside.current?.closest<HTMLElement>("main, aside");
    if (pane == null) return;
    const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") === true;
    const onOver = (event: DragEvent) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      setOver(true);
    };
    const onLeave = (event: DragEvent) => {
      if (!(event.relatedTarget instanceof Node && pane.contains(event.relatedTarget))) setOver(false);
    };
    const onDrop = (event: DragEvent) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      setOver(false);
      take([...(event.dataTransfer?.files ?? [])]);
    };
    // Elsewhere a browser would leave the page to show the file.
    const refuse = (event: DragEvent) => hasFiles(event) && event.preventDefault();
    pane.addEventListener("dragover", onOver);
    pane.addEventListener("dragleave", onLeave);
    pane.addEventListener("drop", onDrop);
    document.addEventListener("dragover", refuse);
    document.addEventListener("drop", refuse);
    return () => {
      pane.removeEventListener("dragover", onOver);
      pane.removeEventListener("dragleave", onLeave);
      pane.removeEventListener("drop", onDrop);
      document.removeEventListener("dragover", refuse);
      document.removeEventListener("drop", refuse);
    };
  }, [take]);
  return over;
}
