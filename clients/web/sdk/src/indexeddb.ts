/** Storage in the browser's IndexedDB: shared by the tabs of an origin, and still there after a crash. */

import type { Storage } from "./storage.ts";

const store = "entries";

export class IndexedDbStorage implements Storage {
  private constructor(private readonly database: Database) {}

  /** Rejects where the browser forbids it, as some do in a private window. */
  static async open(name = "chatx"): Promise<IndexedDbStorage> {
    const factory = (globalThis as { indexedDB?: Factory }).indexedDB;
    if (factory === undefined) throw new Error("there is no IndexedDB here");
    const opening = factory.open(name, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(store);
    const database = await answer(opening);
    // A later version in another tab is not kept waiting.
    database.onversionchange = () => database.close();
    return new IndexedDbStorage(database);
  }

  async get(key: string): Promise<string | undefined> {
    return (await answer(this.entriesFor("readonly").get(key))) as string | undefined;
  }

  async set(key: string, value: string): Promise<void> {
    await this.change((entries) => entries.put(value, key));
  }

  async remove(key: string): Promise<void> {
    await this.change((entries) => entries.delete(key));
  }

  async entries(prefix: string): Promise<[string, string][]> {
    const entries = this.entriesFor("readonly");
    const [keys, values] = await Promise.all([answer(entries.getAllKeys()), answer(entries.getAll())]);
    const all = keys.map((key, index): [string, string] => [String(key), String(values[index])]);
    return all.filter(([key]) => key.startsWith(prefix));
  }

  private entriesFor(mode: "readonly" | "readwrite"): ObjectStore {
    return this.database.transaction(store, mode).objectStore(store);
  }

  /** Committed at once: a page that is left the next moment takes an open transaction with it. */
  private change(make: (entries: ObjectStore) => Request<unknown>): Promise<void> {
    return new Promise((resolve, reject) => {
      const transaction = this.database.transaction(store, "readwrite");
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error ?? new Error("the browser did not keep it"));
      make(transaction.objectStore(store));
      transaction.commit();
    });
  }
}

function answer<T>(request: Request<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

// What of IndexedDB is used here. The client compiles without the DOM's types.

interface Factory {
  open(name: string, version: number): Request<Database> & { onupgradeneeded: (() => void) | null };
}
interface Request<T> {
  readonly result: T;
  readonly error: Error | null;
  onsuccess: (() => void) | null;
  onerror: (() => void) | null;
}
interface Database {
  createObjectStore(name: string): unknown;
  transaction(name: string, mode: string): Transaction;
  close(): void;
  onversionchange: (() => void) | null;
}
interface Transaction {
  objectStore(name: string): ObjectStore;
  commit(): void;
  readonly error: Error | null;
  oncomplete: (() => void) | null;
  onabort: (() => void) | null;
}
interface ObjectStore {
  get(key: string): Request<unknown>;
  put(value: string, key: string): Request<unknown>;
  delete(key: string): Request<unknown>;
  getAllKeys(): Request<unknown[]>;
  getAll(): Request<unknown[]>;
}
