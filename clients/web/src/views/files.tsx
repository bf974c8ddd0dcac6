/** The files of a message: pictures are shown, at their size from the beginning, everything else is handed out. */

import { useState } from "preact/hooks";
import type { FileRef, Id } from "@chatx/sdk";
import { fitted, isPicture, type Picture, sizeText } from "../state/files";
import { type Hung, showPicture } from "../state/gallery";
import { chat } from "../state/session";
import { strings } from "../strings";
import { Icon } from "./icons";

/** In pixels; one picture may be larger than several are. */
const alone = { width: 360, height: 280 };
const among = { width: 220, height: 150 };

interface FilesProps {
  files: readonly FileRef[];
  room: Id;
  /** The message that has them, once it is stored. */
  said?: Hung["said"];
}

export function Files({ files, room, said }: FilesProps) {
  const pictures = files.filter(isPicture);
  const others = files.filter((file) => !isPicture(file));
  const box = pictures.length === 1 ? alone : among;
  return (
    <div class="files">
      {pictures.length > 0 && (
        <div class="pictures">
          {pictures.map((picture) => (
            <Thumbnail key={picture.id} picture={picture} box={box} onOpen={() => showPicture(pictures, picture, room, said)} />
          ))}
        </div>
      )}
      {others.map((file) => <FileCard key={file.id} file={file} />)}
    </div>
  );
}

interface ThumbnailProps {
  picture: Picture;
  box: { width: number; height: number };
  onOpen(): void;
}

function Thumbnail({ picture, box, onOpen }: ThumbnailProps) {
  const [missing, setMissing] = useState(false);
  if (missing) return <FileCard file={picture} />;
  const { width, height } = fitted(picture, box.width, box.height);
  return (
    <button type="button" class="picture" aria-label={strings.files.open(picture.name)} data-testid="picture" onClick={onOpen}>
      <img
        src={chat.fileUrl(picture.id, "thumbnail")}
        width={width}
        height={height}
        alt=""
        decoding="async"
        onError={() => setMissing(true)}
      />
    </button>
  );
}

function FileCard({ file }: { file: FileRef }) {
  return (
    <a class="file" href={chat.fileUrl(file.id)} download={file.name} title={file.name} data-testid="file">
      <span class="file-mark"><Icon name="file" /></span>
      <span class="attachment-text">
        <span class="attachment-name">{file.name}</span>
        <span class="muted">{sizeText(file.size)}</span>
      </span>
      <Icon name="download" />
      <span class="visually-hidden">{strings.files.download}</span>
    </a>
  );
}
