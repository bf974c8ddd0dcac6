/** What the page makes of the files of messages. Pure. */

import type { FileRef } from "@chatx/sdk";
import { strings } from "../strings";
import { plain } from "./markup";

/** A file that is shown, not only named. */
export type Picture = FileRef & { width: number; height: number };

/** What the server draws a small one of. */
const shown = new Set(["image/jpeg", "image/png", "image/gif", "image/webp"]);

export function isPicture(file: FileRef): file is Picture {
  return shown.has(file.mime) && (file.width ?? 0) > 0 && (file.height ?? 0) > 0;
}

/** The largest size within a box, of the same shape; nothing is made larger than it is. */
export function fitted({ width, height }: Picture, widest: number, highest: number): { width: number; height: number } {
  const scale = Math.min(1, widest / width, highest / height);
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
}

/** A message in one line: its text without marks, else the names of its files. */
export function gist({ body, files }: { body: string; files?: readonly FileRef[] }): string {
  const text = plain(body);
  return text === "" && files !== undefined && files.length > 0 ? strings.files.names(files.map(({ name }) => name)) : text;
}

const units = ["B", "KiB", "MiB", "GiB"] as const;

export function sizeText(bytes: number): string {
  const power = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  const size = bytes / 1024 ** power;
  return `${size.toLocaleString(undefined, { maximumFractionDigits: power > 0 && size < 10 ? 1 : 0 })} ${units[power]}`;
}
