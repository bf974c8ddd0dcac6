/** A picture as large as the window, and its neighbours by the arrow keys. */

import { signal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import { fitted, type Picture, sizeText } from "../state/files";
import { chat } from "../state/session";
import { strings } from "../strings";
import { Icon } from "./icons";

const shown = signal<{ pictures: readonly Picture[]; at: number } | undefined>(undefined);

export function showPicture(pictures: readonly Picture[], picture: Picture): void {
  shown.value = { pictures, at: pictures.indexOf(picture) };
}

export function Lightbox() {
  const open = shown.value;
  const picture = open?.pictures[open.at];
  return open === undefined || picture === undefined ? null : <Shown picture={picture} at={open.at} pictures={open.pictures} />;
}

function step(by: number): void {
  const open = shown.value;
  if (open === undefined) return;
  const count = open.pictures.length;
  shown.value = { ...open, at: (open.at + by + count) % count };
}

function close(): void {
  shown.value = undefined;
}

function Shown({ picture, at, pictures }: { picture: Picture; at: number; pictures: readonly Picture[] }) {
  const element = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const dialog = element.current;
    const opener = document.activeElement;
    dialog?.showModal();
    return () => {
      dialog?.close();
      if (opener instanceof HTMLElement && opener.isConnected) opener.focus();
    };
  }, []);

  function onKeyDown(event: KeyboardEvent): void {
    const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (by === 0) return;
    event.preventDefault();
    step(by);
  }

  const several = pictures.length > 1;
  return (
    <dialog ref={element} class="lightbox" aria-label={picture.name} data-testid="lightbox" onKeyDown={onKeyDown}
      onCancel={(event) => {
        event.preventDefault();
        close();
      }}
    >
      <header>
        <div class="lightbox-name">
          <strong>{picture.name}</strong>
          <span>{several && `${strings.files.place(at + 1, pictures.length)} · `}{sizeText(picture.size)}</span>
        </div>
        <a class="icon-button" href={chat.fileUrl(picture.id)} download={picture.name} aria-label={strings.files.download} title={strings.files.download}>
          <Icon name="download" />
        </a>
        <button type="button" class="icon-button" aria-label={strings.common.close} title={strings.common.close} data-testid="lightbox-close" onClick={close}>
          <Icon name="close" />
        </button>
      </header>
      <div class="lightbox-view" onClick={(event) => event.target === event.currentTarget && close()}>
        {several && <Step icon="back" label={strings.files.previous} onClick={() => step(-1)} />}
        <Whole key={picture.id} picture={picture} />
        {several && <Step icon="forth" label={strings.files.next} onClick={() => step(1)} />}
      </div>
    </dialog>
  );
}

function Step({ icon, label, onClick }: { icon: "back" | "forth"; label: string; onClick(): void }) {
  return (
    <button type="button" class={`icon-button ${icon}`} aria-label={label} title={label} data-testid={`picture-${icon}`} onClick={onClick}>
      <Icon name={icon} />
    </button>
  );
}

function Whole({ picture }: { picture: Picture }) {
  const [failed, setFailed] = useState(false);
  if (failed) return <p role="alert">{strings.files.notShown}</p>;
  const { width, height } = fitted(picture, innerWidth, innerHeight);
  return <img src={chat.fileUrl(picture.id)} width={width} height={height} alt={picture.name} onError={() => setFailed(true)} />;
}
