/** One HTTP exchange, with every way of not being done as one type. Not responsible for who asks; see `session.ts`. */

import type { FileSource, HttpAnswer, Platform, UploadOptions } from "./platform.ts";
import type { ErrorBody } from "./protocol.ts";
import { Refusal } from "./refusal.ts";

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

export class Http {
  /** `base` is where the server is, without a slash at its end; empty for the page's own origin. */
  constructor(private readonly platform: Platform, private readonly base: string) {}

  async send(method: Method, path: string, body: unknown, more: Record<string, string> = {}): Promise<HttpAnswer> {
    const headers: Record<string, string> = { Accept: "application/json", ...more };
    if (body !== undefined) headers["Content-Type"] = "application/json";
    try {
      return await this.platform.request(this.base + path, {
        method,
        headers,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    } catch {
      throw offline();
    }
  }

  async upload(path: string, file: FileSource, how: UploadOptions, more: Record<string, string>): Promise<HttpAnswer> {
    try {
      return await this.platform.upload(this.base + path, { ...how, file, headers: { Accept: "application/json", ...more } });
    } catch {
      throw how.signal?.aborted === true ? new Refusal({ code: "cancelled", message: "the upload was given up" }) : offline();
    }
  }
}

function offline(): Refusal {
  return new Refusal({ code: "offline", message: "no answer from the server" });
}

/** The body of an answer that says yes; throws the refusal of one that says no. */
export async function read<T>(answer: HttpAnswer): Promise<T> {
  await unlessRefused(answer);
  const text = await whole(answer.text());
  return (text === "" ? undefined : JSON.parse(text)) as T;
}

/** The same of a body that is no JSON. */
export async function readBytes(answer: HttpAnswer): Promise<ArrayBuffer> {
  await unlessRefused(answer);
  return whole(answer.arrayBuffer());
}

async function unlessRefused(answer: HttpAnswer): Promise<void> {
  if (answer.status < 200 || answer.status > 299) throw await refusal(answer);
}

export async function refusal(answer: HttpAnswer): Promise<Refusal> {
  const seconds = Number(answer.headers.get("Retry-After") ?? Number.NaN);
  const retryAfterMs = Number.isFinite(seconds) ? seconds * 1000 : undefined;
  try {
    const { error } = JSON.parse(await answer.text()) as { error: ErrorBody };
    return new Refusal(error, retryAfterMs, answer.status);
  } catch {
    const code = answer.status === 401 ? "unauthenticated" : answer.status >= 500 ? "unavailable" : "unexpected";
    return new Refusal({ code, message: `the server answered ${answer.status}` }, retryAfterMs, answer.status);
  }
}

/** The connection may be lost in the middle of an answer. */
async function whole<T>(body: Promise<T>): Promise<T> {
  try {
    return await body;
  } catch {
    throw new Refusal({ code: "offline", message: "the answer broke off" });
  }
}
