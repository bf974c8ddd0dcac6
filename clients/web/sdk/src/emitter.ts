/** Who wants to hear of what. */

export class Emitter<Events extends { [Name in keyof Events]: (...told: never[]) => void }> {
  private readonly listeners = new Map<keyof Events, Set<(...told: never[]) => void>>();

  /** Answers how to stop listening. */
  on<Name extends keyof Events>(name: Name, listener: Events[Name]): () => void {
    const listeners = this.listeners.get(name) ?? new Set();
    this.listeners.set(name, listeners.add(listener));
    return () => void listeners.delete(listener);
  }

  /** A listener that throws harms neither the others nor whoever tells. */
  emit<Name extends keyof Events>(name: Name, ...told: Parameters<Events[Name]>): void {
    for (const listener of [...(this.listeners.get(name) ?? [])]) {
      try {
        (listener as (...told: Parameters<Events[Name]>) => void)(...told);
      } catch (thrown) {
        void Promise.reject(thrown);
      }
    }
  }
}
