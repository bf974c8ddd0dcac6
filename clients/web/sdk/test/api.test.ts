/** The interface in TypeScript has a method for every route that a real server says it has. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Api } from "../src/index.ts";
import { leftOut, Server } from "./server.ts";

/** These are the session's own matter. */
const ofSession = new Set(["register", "login", "refresh", "logout", "csrf"].map((name) => `/v1/auth/${name}`));

/** There a visitor goes, not a program. */
const visited = new Set(["/v1/auth/oidc/{provider}", "/v1/auth/oidc/{provider}/callback"]);

/** What each method of `Api` asks for, as `METHOD /path`. */
async function asked(): Promise<string[]> {
  const calls: string[] = [];
  const api = new Api({
    async call<T>(method: string, path: string) {
      calls.push(`${method} ${path.split("?")[0]}`);
      return new Proxy({}, { get: () => [] }) as T;
    },
    async upload<T>(path: string) {
      return this.call<T>("POST", path);
    },
    async download(path: string) {
      return this.call<ArrayBuffer>("GET", path);
    },
  });
  const own = Object.getOwnPropertyNames(Api.prototype).filter((name) => name !== "constructor" && name !== "get");
  for (const name of own) {
    const method = (api as unknown as Record<string, (...given: unknown[]) => unknown>)[name];
    await method?.call(api, "x", "x", "x");
  }
  return calls;
}

test("every route has a method", { skip: leftOut, timeout: 60_000 }, async (at) => {
  const server = await Server.start(at);
  const document = (await (await fetch(`${server.url}/v1/openapi.json`)).json()) as { paths: Record<string, object> };
  const calls = await asked();
  const missing = Object.entries(document.paths).flatMap(([path, methods]) => {
    if (!path.startsWith("/v1/") || ofSession.has(path) || visited.has(path) || path === "/v1/openapi.json") return [];
    const pattern = path.replace(/\{\w+\}/g, "[^/]+");
    return Object.keys(methods)
      .map((method) => method.toUpperCase())
      .filter((method) => !calls.some((call) => new RegExp(`^${method} ${pattern}$`).test(call)))
      .map((method) => `${method} ${path}`);
  });
  assert.deepEqual(missing, []);
});
