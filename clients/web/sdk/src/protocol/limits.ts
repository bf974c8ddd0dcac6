/** What a client can check before it asks. */

/** The limits that a form can check before the server does. Characters are Unicode scalar values. */
export const limits = {
  usernameMin: 3,
  usernameMax: 32,
  displayNameMax: 64,
  statusMax: 100,
  bioMax: 500,
  passwordMin: 10,
  roomNameMax: 64,
  topicMax: 1024,
  roomPasswordMin: 4,
  bodyMax: 8000,
  reasonMax: 500,
  fileMaxBytes: 25 * 1024 * 1024,
  messageMaxFiles: 10,
} as const;

/** How many Unicode scalar values a text has, as the server counts. */
export function scalarCount(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}
