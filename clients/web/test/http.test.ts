/** HTTP calls of a cookie session: renewed when its token runs out, once for all, and never mistaken for over. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Http } from "../src/connection/http";
import { Refusal } from "../src/connection/refusal";
import { World } from "./world";

const refused = (status: number, code: string) => ({ status, body: { error: { code, message: code } } });

/** A server whose access token may be expired and whose csrf token changes. */
function served() {
  const world = new World();
  const state = { expired: false, over: false, csrf: "one", refreshes: 0, signedOut: 0 };
  world.answer = (path, request) => {
    if (path === "/v1/auth/csrf") return { status: 200, body: { csrf_token: state.csrf } };
    if (request.method !== "GET" && request.headers["X-CSRF-Token"] !== state.csrf) return refused(403, "csrf");
    if (path.startsWith("/v1/auth/refresh")) {
      state.refreshes += 1;
      if (state.over) return refused(401, "unauthenticated");
      state.expired = false;
      return { status: 200, body: { user: {}, expires_in: 900 } };
    }
    if (state.expired) return refused(401, "unauthenticated");
    if (path === "/wrong") return refused(401, "invalid_credentials");
    return { status: 200, body: { done: path } };
  };
  const http = new Http(world);
  http.onSignedOut = () => void (state.signedOut += 1);
  return { http, state, world };
}

const code = (wanted: string) => (thrown: unknown) => thrown instanceof Refusal && thrown.code === wanted;

test("callers who find the token expired share one refresh, and all are answered", async () => {
  const { http, state } = served();
  state.expired = true;
  const answers = await Promise.all([http.call("GET", "/a"), http.call("POST", "/b", {}), http.call("GET", "/c")]);
  assert.deepEqual(answers, [{ done: "/a" }, { done: "/b" }, { done: "/c" }]);
  assert.equal(state.refreshes, 1);
});

test("a csrf token that is no longer good is replaced, and the call made again", async () => {
  const { http, state } = served();
  await http.call("POST", "/a", {});
  state.csrf = "two";
  assert.deepEqual(await http.call("POST", "/b", {}), { done: "/b" });
});

test("a session that is over is told once and the refusal passed on", async () => {
  const { http, state } = served();
  state.expired = state.over = true;
  await assert.rejects(http.call("GET", "/a"), code("unauthenticated"));
  assert.equal(state.signedOut, 1);
});

test("a wrong password is not an expired session", async () => {
  const { http, state } = served();
  await assert.rejects(http.call("POST", "/wrong", {}), code("invalid_credentials"));
  assert.deepEqual([state.refreshes, state.signedOut], [0, 0]);
});

test("no answer at all says nothing about the session", async () => {
  const { http, state, world } = served();
  world.answer = () => {
    throw new TypeError("failed to fetch");
  };
  await assert.rejects(http.call("GET", "/a"), code("offline"));
  assert.equal(state.signedOut, 0);
});
