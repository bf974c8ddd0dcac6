/** The icons, drawn on one 20 × 20 grid with one stroke. They carry no meaning of their own to a screen reader. */

const shapes = {
  compass: "M10 17.5a7.5 7.5 0 1 0 0-15 7.5 7.5 0 0 0 0 15ZM13 7l-1.6 4.4L7 13l1.6-4.4L13 7Z",
  plus: "M10 4v12M4 10h12",
  back: "M12 4.5 6.5 10l5.5 5.5",
  close: "m5 5 10 10M15 5 5 15",
  panel: "M3 5.5A1.5 1.5 0 0 1 4.5 4h11A1.5 1.5 0 0 1 17 5.5v9a1.5 1.5 0 0 1-1.5 1.5h-11A1.5 1.5 0 0 1 3 14.5v-9ZM12.5 4v12",
  send: "M10 16V4.5M5 9.3l5-5 5 5",
  edit: "m4 16 .7-3.3L13 4.4a1.4 1.4 0 0 1 2 0l.6.6a1.4 1.4 0 0 1 0 2L7.3 15.3 4 16Z",
  trash: "M4 6h12M8 6V4.2h4V6M5.5 6l.7 10h7.6l.7-10M8.5 9v4.5M11.5 9v4.5",
  sliders: "M3 6.5h6.5M14.5 6.5H17M3 13.5h2.5M10.5 13.5H17M12 8.7a2.2 2.2 0 1 0 0-4.4 2.2 2.2 0 0 0 0 4.4ZM8 15.7a2.2 2.2 0 1 0 0-4.4 2.2 2.2 0 0 0 0 4.4Z",
  lock: "M5.5 9h9v7h-9V9ZM7.5 9V6.5a2.5 2.5 0 0 1 5 0V9",
  hidden: "M3.5 3.5l13 13M8 5.2A7.7 7.7 0 0 1 10 5c4.5 0 7 5 7 5a12 12 0 0 1-2 2.6M12.5 14.3A6.8 6.8 0 0 1 10 15c-4.5 0-7-5-7-5a12.5 12.5 0 0 1 2.9-3.4M8.5 8.6a2 2 0 0 0 2.8 2.8",
  eye: "M3 10s2.5-5 7-5 7 5 7 5-2.5 5-7 5-7-5-7-5ZM10 12a2 2 0 1 0 0-4 2 2 0 0 0 0 4Z",
  globe: "M10 17a7 7 0 1 0 0-14 7 7 0 0 0 0 14ZM3 10h14M10 3c2 2 2.8 4.4 2.8 7S12 15 10 17c-2-2-2.8-4.4-2.8-7S8 5 10 3Z",
  people: "M8 10a2.7 2.7 0 1 0 0-5.4A2.7 2.7 0 0 0 8 10ZM3 16c.3-2.7 2.3-4.3 5-4.3s4.7 1.6 5 4.3M13 5a2.5 2.5 0 0 1 0 4.8M14.5 12c1.5.6 2.3 2 2.5 4",
  down: "M10 4v11.5M5 10.7l5 5 5-5",
  up: "M10 16V4.5M5 9.3l5-5 5 5",
  smile: "M10 17.5a7.5 7.5 0 1 0 0-15 7.5 7.5 0 0 0 0 15ZM7.3 8.2h.01M12.7 8.2h.01M6.8 11.8c.8 1.3 1.9 2 3.2 2s2.4-.7 3.2-2",
  reply: "M8 5 3.5 9.5 8 14M4 9.5h7.5c3 0 5 1.8 5 5V16",
  thread: "M4 4.5h12v8H9.5L6 15.5v-3H4v-8ZM7 7.3h6M7 9.8h4",
  pin: "M7.5 3.5h5l-.6 5 2.6 2.6h-9L8.1 8.5 7.5 3.5ZM10 11.1V17",
  at: "M13 10a3 3 0 1 1-6 0 3 3 0 0 1 6 0Zm0 0v1.2c0 1.3.8 2 1.9 2s2.1-1.2 2.1-3.2a7 7 0 1 0-2.8 5.6",
  bell: "M5.5 13.5h9l-1.2-1.8V8.5a3.3 3.3 0 0 0-6.6 0v3.2l-1.2 1.8ZM8.6 15.7a1.5 1.5 0 0 0 2.8 0",
  block: "M10 17a7 7 0 1 0 0-14 7 7 0 0 0 0 14ZM5.2 5.2l9.6 9.6",
  message: "M3.5 5A1.5 1.5 0 0 1 5 3.5h10A1.5 1.5 0 0 1 16.5 5v6.5A1.5 1.5 0 0 1 15 13h-4l-4 3.5V13H5a1.5 1.5 0 0 1-1.5-1.5V5Z",
  search: "M9 14.5a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11ZM13 13l4 4",
  check: "m4.5 10.5 3.7 3.7 7.3-8",
  more: "M5 10h.01M10 10h.01M15 10h.01",
  link: "M8.5 11.5a3 3 0 0 0 4.3 0l2.6-2.6a3 3 0 0 0-4.3-4.3l-.9.9M11.5 8.5a3 3 0 0 0-4.3 0l-2.6 2.6a3 3 0 0 0 4.3 4.3l.9-.9",
  leave: "M8 4H4.5v12H8M8.5 10H17M13.5 6.5 17 10l-3.5 3.5",
  keyboard: "M2.5 5.5h15v9h-15v-9ZM5.5 8.5h.01M8.5 8.5h.01M11.5 8.5h.01M14.5 8.5h.01M6.5 11.7h7",
  retry: "M15.5 8A6 6 0 1 0 16 11M16 4.5V8h-3.5",
} as const;

export type IconName = keyof typeof shapes;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 20 20" aria-hidden="true">
      <path d={shapes[name]} />
    </svg>
  );
}

/** The mark: two strokes that cross, one of them once interrupted and whole all the same. */
export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="9" />
      <path class="mark-near" d="M9 9.5 23 23.5" />
      <path class="mark-far" d="M23 9.5 18.9 13.6M13.1 19.4 9 23.5" />
    </svg>
  );
}
