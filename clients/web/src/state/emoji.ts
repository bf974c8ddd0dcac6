/** The signs that are offered to answer a message with, and those used last on this device. */

import { signal } from "@preact/signals";
import { remembered } from "../browser";

export const emoji = [
  "👍", "👎", "❤️", "😂", "🎉", "🙏", "👏", "🔥", "😀", "😅", "😉", "😍", "🤔", "😮", "😢", "😡",
  "😴", "🤝", "💪", "👀", "🙌", "🤞", "👋", "🫡", "✅", "❌", "❓", "❗", "⭐", "💡", "📌", "🚀",
  "☕", "🍰", "🌊", "⛵", "🌞", "🌧️", "🌱", "🎵", "🐛", "🛠️", "📦", "📅", "⏰", "💯", "🤷", "🥳",
] as const;

const key = "chatx.emoji";
const keptLast = 8;

export const lastUsed = signal<readonly string[]>((remembered.get(key) ?? "👍 ❤️ 😂 🎉").split(" "));

export function used(sign: string): void {
  lastUsed.value = [sign, ...lastUsed.value.filter((other) => other !== sign)].slice(0, keptLast);
  remembered.set(key, lastUsed.value.join(" "));
}
