/** How long to wait before trying again. */

/**
 * Full jitter: anywhere between nothing and a bound that doubles with each attempt, so that the clients of a
 * restarted server do not come back all at once.
 */
export function fullJitter(attempt: number, random: () => number, baseMs = 600, capMs = 30_000): number {
  const bound = Math.min(capMs, baseMs * 2 ** Math.min(attempt, 16));
  return Math.round(random() * bound);
}
