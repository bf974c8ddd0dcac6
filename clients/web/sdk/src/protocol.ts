/** What a client and the server say to each other. Nothing here runs, but for a few small readers. */

export * from "./protocol/administration.ts";
export * from "./protocol/bodies.ts";
export * from "./protocol/bots.ts";
export * from "./protocol/events.ts";
export * from "./protocol/frames.ts";
export * from "./protocol/limits.ts";
