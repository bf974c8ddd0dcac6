/** A client of ChatX that loses nothing: what is written is sent once, and what is read is in order and without gaps. */

export { Api, type Caller, type Part } from "./api.ts";
export { type ChatEvents, type ChatOptions, ChatX } from "./chat.ts";
export { IndexedDbStorage } from "./indexeddb.ts";
export type { Status } from "./live/connection.ts";
export type { Position } from "./live/delivery.ts";
export type { Live, LiveEvents, OutgoingMessage, Sending } from "./live/live.ts";
export type { OutboxEntry } from "./live/outbox.ts";
export type { FollowOptions } from "./live/subscriptions.ts";
export type {
  Channel, FileSource, HttpAnswer, HttpRequest, Platform, Signal, Socket, SocketEvents, UploadOptions, UploadRequest,
} from "./platform.ts";
export * from "./protocol.ts";
export { asRefusal, Refusal } from "./refusal.ts";
export { Session as ClientSession, type SessionEvents, type TokenPlace } from "./session.ts";
export { standardPlatform, standardStorage } from "./standard.ts";
export { MemoryStorage, type Storage } from "./storage.ts";
