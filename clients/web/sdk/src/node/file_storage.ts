/** Storage in a folder, one small file for each entry, for programs that run on Node. */

import { mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Storage } from "../storage.ts";

export class FileStorage implements Storage {
  /** The last write of each key, so that two of them do not overtake each other. */
  private readonly writing = new Map<string, Promise<void>>();
  private written = 0;

  constructor(readonly folder: string) {}

  async get(key: string): Promise<string | undefined> {
    await this.writing.get(key);
    return readIfThere(this.path(key));
  }

  set(key: string, value: string): Promise<void> {
    return this.inTurn(key, () => this.write(this.path(key), value));
  }

  remove(key: string): Promise<void> {
    return this.inTurn(key, () => rm(this.path(key), { force: true }));
  }

  async entries(prefix: string): Promise<[string, string][]> {
    await Promise.all(this.writing.values());
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
    const found: [string, string][] = [];
    for (const name of await readdir(this.folder)) {
      if (!name.endsWith(suffix)) continue;
      const key = decodeURIComponent(name.slice(0, -suffix.length));
      if (!key.startsWith(prefix)) continue;
      const value = await readIfThere(join(this.folder, name));
      if (value !== undefined) found.push([key, value]);
    }
    return found;
  }

  /** Whole or not at all: a file that is half written never has the name that is read. */
  private async write(path: string, value: string): Promise<void> {
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
    const beside = `${path}.${process.pid}-${++this.written}`;
    const file = await open(beside, "w", 0o600);
    try {
      await file.writeFile(value);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(beside, path);
  }

  private inTurn(key: string, action: () => Promise<void>): Promise<void> {
    const turn = (this.writing.get(key) ?? Promise.resolve()).catch(() => undefined).then(action);
    this.writing.set(key, turn);
    const over = () => {
      if (this.writing.get(key) === turn) this.writing.delete(key);
    };
    turn.then(over, over);
    return turn;
  }

  private path(key: string): string {
    return join(this.folder, `${encodeURIComponent(key)}${suffix}`);
  }
}

const suffix = ".json";

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (thrown) {
    if ((thrown as { code?: string }).code === "ENOENT") return undefined;
    throw thrown;
  }
}
