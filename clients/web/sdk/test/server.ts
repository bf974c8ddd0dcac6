/** A real server that a test starts, kills and starts again, on a folder of its own. */

import { type ChildProcess, spawn } from "node:child_process";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { ChatX, type ChatOptions, type Id, type RoomEvent } from "../src/index.ts";

/** The program under test; without it these tests are left out. `cargo xtask web --test` builds and names it. */
export const program = process.env["CHATX_PROGRAM"];
export const leftOut = program === undefined ? "CHATX_PROGRAM names no server" : false;

const patienceMs = 60_000;

export class Server {
  private child: ChildProcess | undefined;

  private constructor(readonly folder: string, private readonly port: number, private readonly settings: Record<string, string>) {}

  static async start(test: TestContext, settings: Record<string, string> = {}): Promise<Server> {
    const folder = await mkdtemp(join(tmpdir(), "chatx-sdk-"));
    const server = new Server(folder, await freePort(), settings);
    test.after(async () => {
      await server.kill();
      await rm(folder, { recursive: true, force: true });
    });
    await server.run();
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async run(): Promise<void> {
    const child = spawn(program ?? "", ["serve"], {
      stdio: ["ignore", "ignore", "inherit"],
      env: {
        PATH: process.env["PATH"],
        RUST_LOG: "error",
        CHATX_LISTEN: `127.0.0.1:${this.port}`,
        CHATX_DATA_DIR: join(this.folder, "data"),
        CHATX_RATE_LIMITS: "off",
        ...this.settings,
      },
    });
    this.child = child;
    await until("the server is ready", async () => {
      if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}`);
      return (await fetch(`${this.url}/readyz`).catch(() => undefined))?.ok === true;
    });
  }

  /** As `kill -9`: it has no time for anything. */
  async kill(): Promise<void> {
    const child = this.child;
    this.child = undefined;
    if (child === undefined || child.exitCode !== null) return;
    const over = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await over;
  }

  /** Copies what the server keeps; it must not run. */
  async save(name: string): Promise<void> {
    await cp(join(this.folder, "data"), join(this.folder, name), { recursive: true });
  }

  async restore(name: string): Promise<void> {
    await rm(join(this.folder, "data"), { recursive: true });
    await cp(join(this.folder, name), join(this.folder, "data"), { recursive: true });
  }

  /** A client that is closed when the test ends. */
  async client(test: TestContext, options: ChatOptions = {}): Promise<ChatX> {
    const chat = await ChatX.open({ url: this.url, ...options });
    test.after(() => chat.close());
    return chat;
  }

  async person(test: TestContext, username: string, options: ChatOptions = {}): Promise<ChatX> {
    const chat = await this.client(test, options);
    await chat.register({ username, email: `${username}@example.com`, password: "plain sailing 1843" });
    return chat;
  }
}

/** Every event of a room that a client was given, in the order in which it came. */
export class Heard {
  readonly events: RoomEvent[] = [];
  resets = 0;

  constructor(chat: ChatX, private readonly room: Id) {
    chat.on("snapshot", (frame, events) => {
      if (frame.room !== room) return;
      if (frame.reset === true && this.events.length > 0) this.resets += 1;
      this.events.push(...events);
    });
    chat.on("event", (event) => void (event.room === this.room && this.events.push(event)));
  }

  get seqs(): number[] {
    return this.events.map((event) => event.seq);
  }

  get bodies(): string[] {
    return this.events.flatMap((event) => (event.kind === "message" ? [event.body] : []));
  }

  messages(count: number): Promise<void> {
    return until(`${count} messages are heard`, async () => this.bodies.length >= count, () => `${this.bodies.length} are`);
  }
}

export async function until(what: string, holds: () => Promise<boolean>, state = () => ""): Promise<void> {
  const start = Date.now();
  while (!(await holds())) {
    if (Date.now() - start > patienceMs) throw new Error(`never: ${what} ${state()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function freePort(): Promise<number> {
  const listener = createServer();
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const address = listener.address();
  await new Promise((resolve) => listener.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}
