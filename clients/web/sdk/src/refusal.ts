/** A request that was not done, whoever said so: the server by HTTP or socket, or the network by silence. */

import type { ErrorBody, FieldErrors } from "./protocol.ts";

export class Refusal extends Error {
  /** Stable; `offline` when no answer came, `unexpected` when it was not the server's kind of answer. */
  readonly code: string;
  readonly fields: FieldErrors;
  /** How long to wait before it can work, when the server said. */
  readonly retryAfterMs: number | undefined;
  /** The HTTP status, where there was one. */
  readonly status: number | undefined;

  constructor(body: ErrorBody, retryAfterMs?: number, status?: number) {
    super(body.message);
    this.name = "Refusal";
    this.code = body.code;
    this.fields = body.fields ?? {};
    this.retryAfterMs = retryAfterMs;
    this.status = status;
  }

  /** Whether the same request may well succeed later, with nothing changed about it. */
  get passing(): boolean {
    return passingCodes.has(this.code);
  }
}

const passingCodes = new Set(["offline", "unavailable", "rate_limited", "slow_mode"]);

/** Whatever was thrown, as a refusal. */
export function asRefusal(thrown: unknown): Refusal {
  if (thrown instanceof Refusal) return thrown;
  return new Refusal({ code: "unexpected", message: thrown instanceof Error ? thrown.message : String(thrown) });
}
