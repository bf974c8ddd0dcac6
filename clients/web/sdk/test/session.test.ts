/** A session: renewed when its token runs out, once for all calls and all tabs, and never mistaken for over. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { HttpRequest } from "../src/platform.ts";
import { Refusal } from "../src/refusal.ts";
import { Session } from "../src/session.ts";
import { Browser, me, World } from "./world.ts";

const refused = (status: number, code: string) => ({ status, body: { error: { code, message: code } } });
const code = (wanted: string) => (thrown: unknown) => thrown instanceof Refusal && thrown.code === wanted;
const credentials = { login: "me", password: "secret" };

/** A server whose access token may be expired and whose csrf token changes. */
class Server {
  expired = false;
  over = false;
  csrf = "one";
  renewals = 0;

  answer = (path: string, request: HttpRequest) => {
    if (path.startsWith("/v1/auth/login")) return { status: 200, body: { user: me, expires_in: 900 } };
    if (path === "/v1/auth/csrf") return { status: 200, body: { csrf_token: this.csrf } };
    if (request.method !== "GET" && request.headers["X-CSRF-Token"] !== this.csrf) return refused(403, "csrf");
    if (path.startsWith("/v1/auth/refresh")) {
      this.renewals += 1;
      if (this.over) return refused(401, "unauthenticated");
      this.expired = false;
      return { status: 200, body: { user: me, expires_in: 900 } };
    }
    if (this.expired) return refused(401, "unauthenticated");
    if (path === "/v1/users/me") return { status: 200, body: me };
    if (path === "/wrong") return refused(401, "invalid_credentials");
    return { status: 200, body: { done: path } };
  };
}

/** A tab with a session over the storage of `browser`. */
function tab(server: Server, browser = new Browser()) {
  const world = new World(undefined, browser);
  world.answer = server.answer;
  const session = new Session(world, "", "cookie");
  const told: string[] = [];
  session.events.on("began", () => told.push("began"));
  session.events.on("renewed", () => told.push("renewed"));
  session.events.on("ended", (why) => told.push(why));
  return { world, session, told };
}

async function signedIn() {
  const server = new Server();
  const at = tab(server);
  await at.session.logIn(credentials);
  return { server, ...at };
}

test("callers who find the token expired share one renewal, and all are answered", async () => {
  const { server, session } = await signedIn();
  server.expired = true;
  const answers = await Promise.all([session.call("GET", "/a"), session.call("POST", "/b", {}), session.call("GET", "/c")]);
  assert.deepEqual(answers, [{ done: "/a" }, { done: "/b" }, { done: "/c" }]);
  assert.equal(server.renewals, 1);
});

test("of two tabs one renews before the token runs out, and the other takes what it got", async () => {
  const server = new Server();
  const browser = new Browser();
  const [one, two] = [tab(server, browser), tab(server, browser)];
  await one.session.logIn(credentials);
  await two.session.restore();
  await Promise.all([one.world.pass(850_000), two.world.pass(850_000)]);
  assert.equal(server.renewals, 1);
  assert.deepEqual(one.told, ["began", "renewed"]);
  assert.deepEqual(two.told, ["began", "renewed"]);
});

test("a renewal that got no answer is tried again, and says nothing about the session", async () => {
  const { server, session, told, world } = await signedIn();
  world.answer = () => {
    throw new TypeError("failed to fetch");
  };
  await assert.rejects(session.call("GET", "/a"), code("offline"));
  await world.pass(845_000);
  world.answer = server.answer;
  await world.pass(5_000);
  assert.deepEqual(told, ["began", "renewed"]);
});

test("who logs out in one tab is out in the other, and who comes back is in", async () => {
  const server = new Server();
  const browser = new Browser();
  const [one, two] = [tab(server, browser), tab(server, browser)];
  await one.session.logIn(credentials);
  await two.world.pass(0);
  await one.session.logOut();
  await two.world.pass(0);
  await two.session.logIn(credentials);
  await one.world.pass(0);
  assert.deepEqual(one.told, ["began", "logged-out", "began"]);
  assert.deepEqual(two.told, ["began", "logged-out", "began"]);
});

test("a csrf token that is no longer good is replaced, and the call made again", async () => {
  const { server, session } = await signedIn();
  await session.call("POST", "/a", {});
  server.csrf = "two";
  assert.deepEqual(await session.call("POST", "/b", {}), { done: "/b" });
});

test("a session that is over is told once and the refusal passed on", async () => {
  const { server, session, told } = await signedIn();
  server.expired = server.over = true;
  await assert.rejects(session.call("GET", "/a"), code("unauthenticated"));
  assert.deepEqual(told, ["began", "expired"]);
  assert.equal(session.user, undefined);
});

test("a wrong password is not an expired session", async () => {
  const { server, session, told } = await signedIn();
  await assert.rejects(session.call("POST", "/wrong", {}), code("invalid_credentials"));
  assert.deepEqual([server.renewals, told], [0, ["began"]]);
});

test("a session is taken up while the server is away, and ends if the server thinks otherwise", async () => {
  const server = new Server();
  const browser = new Browser();
  await tab(server, browser).session.logIn(credentials);
  const { session, told, world } = tab(server, browser);
  world.answer = () => {
    throw new TypeError("failed to fetch");
  };
  assert.equal((await session.restore())?.id, me.id);
  assert.deepEqual(told, ["began"]);
  server.expired = server.over = true;
  world.answer = server.answer;
  await assert.rejects(session.ask(), code("unauthenticated"));
  assert.deepEqual(told, ["began", "expired"]);
});
