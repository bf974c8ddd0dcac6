/** Draws at most once a frame: a burst of a hundred messages is one change of the page. */

import { options } from "preact";

/** A page that is not seen gets no frames, but its title still counts what is unread. */
const unseenMs = 150;

options.debounceRendering = (draw) => {
  let drawn = false;
  const once = () => {
    if (drawn) return;
    drawn = true;
    cancelAnimationFrame(frame);
    clearTimeout(timer);
    draw();
  };
  const frame = requestAnimationFrame(once);
  const timer = setTimeout(once, unseenMs);
};
