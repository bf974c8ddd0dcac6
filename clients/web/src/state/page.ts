/** What the page itself is up to: whether it has a network, whether it is seen, and how far down. */

import { signal } from "@preact/signals";

export const online = signal(navigator.onLine);
/** Whether somebody can be looking at the page. */
export const visible = signal(document.visibilityState === "visible");
/** Whether the end of the open log is in sight: told by the view that shows it. */
export const atEnd = signal(true);

document.addEventListener("visibilitychange", () => {
  visible.value = document.visibilityState === "visible";
});
window.addEventListener("online", () => {
  online.value = true;
});
window.addEventListener("offline", () => {
  online.value = false;
});
