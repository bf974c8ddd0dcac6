/** Named texts that outlive the program: what it has not yet sent, and its session. */

export interface Storage {
  get(key: string): Promise<string | undefined>;
  /** Resolves once it is kept. Writes of one key take effect in the order in which they were asked for. */
  set(key: string, value: string): Promise<void>;
  remove(key: string): Promise<void>;
  /** Everything whose key begins so. */
  entries(prefix: string): Promise<[key: string, value: string][]>;
}

/** Forgets with the program. Two clients over one of these are like one that was started again. */
export class MemoryStorage implements Storage {
  private readonly kept = new Map<string, string>();

  async get(key: string): Promise<string | undefined> {
    return this.kept.get(key);
  }

  async set(key: string, value: string): Promise<void> {
    this.kept.set(key, value);
  }

  async remove(key: string): Promise<void> {
    this.kept.delete(key);
  }

  async entries(prefix: string): Promise<[string, string][]> {
    return [...this.kept].filter(([key]) => key.startsWith(prefix));
  }
}
