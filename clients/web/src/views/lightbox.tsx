/** A picture as large as the window, and its neighbours by the arrow keys. */

import { useEffect, useRef, useState } from "preact/hooks";
import { fitted, type Picture, sizeText } from "../state/files";
import { closeGallery, gallery, type Gallery, type Hung, step } from "../state/gallery";
import { nameOf } from "../state/names";
import { paths } from "../state/router";
import { chat } from "../state/session";
import { moment } from "../state/times";
import { strings } from "../strings";
import { rememberFocus } from "./focus";
import { Icon } from "./icons";

export function Lightbox() {
  const open = gallery.value;
  const hung = open?.pictures[open.at];
  return open === undefined || hung === undefined ? null : <Shown hung={hung} open={open} />;
}

function Shown({ hung: { picture, said }, open: { pictures, at, room } }: { hung: Hung; open: Gallery }) {
  const element = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const dialog = element.current;
    const back = rememberFocus();
    dialog?.showModal();
    return () => {
      dialog?.close();
      back();
    };
  }, []);

  function onKeyDown(event: KeyboardEvent): void {
    const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (by === 0) return;
    event.preventDefault();
    step(by);
  }

  return (
    <dialog ref={element} class="lightbox" aria-label={picture.name} data-testid="lightbox" onKeyDown={onKeyDown}
      onCancel={(event) => {
        event.preventDefault();
        closeGallery();
      }}
    >
      <header>
        <div class="lightbox-name" aria-live="polite">
          <strong>{picture.name}</strong>
          <span>{said !== undefined && `${nameOf(said.user)}, ${moment(said.at)} · `}{sizeText(picture.size)}</span>
        </div>
        {room !== undefined && said !== undefined && (
          <a class="icon-button" href={paths.message(room, said.seq)} aria-label={strings.files.goTo} title={strings.files.goTo} data-testid="picture-message"
            onClick={closeGallery}>
            <Icon name="message" />
          </a>
        )}
        <a class="icon-button" href={chat.fileUrl(picture.id)} download={picture.name} aria-label={strings.files.download} title={strings.files.download}>
          <Icon name="download" />
        </a>
        <button type="button" class="icon-button" aria-label={strings.common.close} title={strings.common.close} data-testid="lightbox-close" onClick={closeGallery}>
          <Icon name="close" />
        </button>
      </header>
      <div class="lightbox-view" onClick={(event) => event.target === event.currentTarget && closeGallery()}>
        {pictures[at - 1] !== undefined && <Step icon="back" label={strings.files.previous} onClick={() => step(-1)} />}
        <Whole key={picture.id} picture={picture} />
        {pictures[at + 1] !== undefined && <Step icon="forth" label={strings.files.next} onClick={() => step(1)} />}
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
