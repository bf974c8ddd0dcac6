/** Who is signed in, and how that begins and ends. What they then see is `chat.ts`. */

import { batch, signal } from "@preact/signals";
import { asRefusal, ChatX, type ProfileChanges, type Registration, type User } from "@chatx/sdk";
import { deviceName } from "./device";
import { comeBack, visitRefused, type Visited } from "./providers";

export type Phase = "starting" | "signed-out" | "signed-in";

export const phase = signal<Phase>("starting");
export const me = signal<User | undefined>(undefined);
/** Why the log-in page is shown to someone who did not ask for it. */
export const endedBy = signal<"expired" | undefined>(undefined);

export const chat = await ChatX.open();
export const { api } = chat;

chat.on("began", (user) => {
  // The cookies are those of the whole browser: when another tab logs in as somebody else, this one begins anew.
  if (me.value !== undefined && me.value.id !== user.id) return location.reload();
  batch(() => {
    me.value = user;
    endedBy.value = undefined;
    phase.value = "signed-in";
  });
});

chat.on("ended", (why) => signedOut(why === "expired" ? "expired" : undefined));

chat.on("learnt", (user) => {
  if (phase.value === "signed-in") me.value = user;
});

/** Takes up the session of this browser, if there is one, or that which a provider has just begun. */
export async function start(): Promise<void> {
  const visited: Visited = comeBack();
  try {
    if (visited !== undefined && "signedIn" in visited) return void (await chat.enter());
  } catch (thrown) {
    visitRefused.value = asRefusal(thrown).code;
  }
  try {
    if ((await chat.restore()) === undefined && phase.value !== "signed-out") signedOut();
  } catch {
    signedOut("expired");
  }
}

/** `totp` is a code, where the account asks for one. */
export async function logIn(login: string, password: string, totp?: string): Promise<void> {
  await chat.logIn({ login, password, device: deviceName(), ...(totp === undefined ? {} : { totp }) });
}

export async function register(fields: Registration): Promise<void> {
  await chat.register(fields);
}

export async function updateMe(fields: ProfileChanges): Promise<void> {
  await chat.session.learn(await api.updateMe(fields));
}

/** What the server now says of oneself, after something else than `updateMe` has changed it. */
export async function refreshMe(): Promise<void> {
  await chat.session.learn(await api.me());
}

function signedOut(why?: "expired"): void {
  batch(() => {
    endedBy.value = why;
    me.value = undefined;
    phase.value = "signed-out";
  });
}
