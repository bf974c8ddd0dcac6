/** What this browser remembers of its user's taste, and its clock. What must not be lost is the SDK's matter. */

/** `localStorage`, or nothing where a browser forbids it: the page then works, and forgets on a reload. */
export const remembered = {
  get(key: string): string | null {
    try {
      return localStorage.getItem(key);
    } catch {
      return null;
    }
  },
  set(key: string, value: string): void {
    try {
      localStorage.setItem(key, value);
    } catch {
      // Full or forbidden: it holds until the page is left.
    }
  },
  remove(key: string): void {
    try {
      localStorage.removeItem(key);
    } catch {
      // It was never there.
    }
  },
};

/** Runs `action` once after `ms`; the answer cancels it. */
export function after(ms: number, action: () => void): () => void {
  const timer = setTimeout(action, ms);
  return () => clearTimeout(timer);
}
