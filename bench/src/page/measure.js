// What the page is measured with, from within: its tasks, and what of each frame was script, style, layout and paint.
// Chromium tells of tasks and frames from 50 ms on.
window.worst = { longest: 0, tasks: 0, of: "" };

/** What the time of a frame went into, and the script that took most of it. */
const told = (frame) => {
  const sum = (what) => frame.scripts.reduce((all, script) => all + script[what], 0);
  const longest = [...frame.scripts].sort((a, b) => b.duration - a.duration)[0];
  const name = longest ? ` (${longest.invoker || longest.invokerType} ${longest.sourceFunctionName})` : "";
  const forced = sum("forcedStyleAndLayoutDuration");
  const drawing = frame.startTime + frame.duration - (frame.styleAndLayoutStart || frame.startTime + frame.duration);
  return `a frame of ${Math.round(frame.duration)} ms: script ${Math.round(sum("duration") - forced)} ms${name}, `
    + `style and layout within it ${Math.round(forced)} ms, style, layout and paint after it ${Math.round(drawing)} ms`;
};

new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) {
    worst.tasks += 1;
    worst.longest = Math.max(worst.longest, duration);
  }
}).observe({ type: "longtask", buffered: true });

let longestFrame = 0;
new PerformanceObserver((list) => {
  for (const frame of list.getEntries()) {
    if (frame.duration <= longestFrame) continue;
    longestFrame = frame.duration;
    worst.of = told(frame);
  }
}).observe({ type: "long-animation-frame", buffered: true });

/** The worst since this was last asked. What is observed is told of in a task of its own. */
window.taken = () => new Promise((done) => setTimeout(() => {
  done(worst);
  worst = { longest: 0, tasks: 0, of: "" };
  longestFrame = 0;
}, 300));

/** Scrolls, unless something is so; says whether it was. */
window.scroll_unless = async (by, done) => {
  if (document.querySelector(".log-top .link") !== null) throw new Error("the page could not load what it came to");
  if (done()) return true;
  document.querySelector("[data-testid=log]").scrollTop += by;
  await new Promise(requestAnimationFrame);
  return false;
};
window.begins = () => document.querySelector(".beginning") !== null;
window.shows = (seq) => document.querySelector(`[data-seq="${seq}"]`) !== null;
window.rooms_shown = () => document.querySelectorAll("[data-testid=room-item]").length;
window.first_seen = () => Number(document.querySelector("[data-seq]")?.dataset.seq ?? NaN);

/** For an empty page: a frame that takes so long when nothing else runs, always for the same work. */
const spin = (rounds) => {
  let sum = 0;
  for (let round = 0; round < rounds; round += 1) sum = (sum * 31 + round) | 0;
  return sum;
};
const fastest = () => Math.min(...Array.from({ length: 20 }, () => {
  const began = performance.now();
  spin(1e6);
  return performance.now() - began;
}));
let perMs;
window.work = async (ms) => {
  perMs ??= 1e6 / fastest();
  await new Promise(requestAnimationFrame);
  spin(perMs * ms);
};
0
