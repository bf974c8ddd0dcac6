/** Moments as people read them, in the browser's own language and zone. */

import type { Timestamp } from "@chatx/sdk";
import { strings } from "../strings";
import { sameDay } from "./timeline";

const clock = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: "short" });
const shortDay = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const longDay = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const longDayOfYear = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long", year: "numeric" });
const dayOfYear = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "long", year: "numeric" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });

const dayMs = 86_400_000;

export const clockTime = (at: Timestamp): string => clock.format(new Date(at));
export const fullTime = (at: Timestamp): string => full.format(new Date(at));

/** For a separator between days. */
export function dayName(at: Timestamp): string {
  const now = Date.now();
  if (sameDay(at, new Date(now).toISOString())) return strings.conversation.today;
  if (sameDay(at, new Date(now - dayMs).toISOString())) return strings.conversation.yesterday;
  const day = new Date(at);
  return (day.getFullYear() === new Date(now).getFullYear() ? longDay : longDayOfYear).format(day);
}

/** A day of any year. */
export const dayText = (at: Timestamp): string => dayOfYear.format(new Date(at));

/** A day and a time, for lists of what happened. */
export function moment(at: Timestamp): string {
  return `${dayName(at)}, ${clockTime(at)}`;
}

/** As short as it can be told: the time today, the weekday this week, else the date. */
export function shortTime(at: Timestamp): string {
  const moment = new Date(at);
  const age = Date.now() - moment.getTime();
  if (sameDay(at, new Date().toISOString())) return clock.format(moment);
  return (age < 6 * dayMs ? weekday : shortDay).format(moment);
}

/** A wait, as minutes and seconds once it is long. */
export function waitText(seconds: number): string {
  if (seconds < 60) return `${seconds} s`;
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")} min`;
}
