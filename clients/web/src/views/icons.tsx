/** The icons, drawn on one 20 × 20 grid with one stroke. They carry no meaning of their own to a screen reader. */

const shapes = {
  compass: "M10 17.5a7.5 7.5 0 1 0 0-15 7.5 7.5 0 0 0 0 15ZM13 7l-1.6 4.4L7 13l1.6-4.4L13 7Z",
  plus: "M10 4v12M4 10h12",
  back: "M12 4.5 6.5 10l5.5 5.5",
  close: "m5 5 10 10M15 5 5 15",
  panel: "M3 5.5A1.5 1.5 0 0 1 4.5 4h11A1.5 1.5 0 0 1 17 5.500v9a1.5 1.5 0 0 1-1.5 1.500h-11A1.5 1.5 0 0 1 3 14.500v-9ZM12.5 4v12",
  send: "M10 16V4.500M5 9.300l5-5 5 5",
  edit: "m4 16 .7-3.300L13 4.400a1.4 1.4 0 0 1 2 0l.6.600a1.4 1.4 0 0 1 0 2L7.3 15.3 4 16Z",
  trash: "M4 6h12M8 6V4.200h4V6M5.5 6l.7 10h7.600l.7-10M8.5 9v4.500M11.5 9v4.5",
  gear: "M10 12.500a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5ZM10 2.500v2.200M10 15.300v2.200M2.5 10h2.200M15.3 10h2.200M4.7 4.700l1.6 1.600M13.7 13.700l1.6 1.600M4.7 15.300l1.6-1.600M13.7 6.300l1.6-1.6",
  lock: "M5.5 9h9v7h-9V9ZM7.5 9V6.500a2.5 2.5 0 0 1 5 0V9",
  hidden: "M3.5 3.500l13 13M8 5.200A7.7 7.7 0 0 1 10 5c4.5 0 7 5 7 5a12 12 0 0 1-2 2.600M12.5 14.300A6.8 6.8 0 0 1 10 15c-4.5 0-7-5-7-5a12.5 12.5 0 0 1 2.9-3.400M8.5 8.600a2 2 0 0 0 2.8 2.8",
  eye: "M3 10s2.5-5 7-5 7 5 7 5-2.5 5-7 5-7-5-7-5ZM10 12a2 2 0 1 0 0-4 2 2 0 0 0 0 4Z",
  globe: "M10 17a7 7 0 1 0 0-14 7 7 0 0 0 0 14ZM3 10h14M10 3c2 2 2.8 4.4 2.8 7S12 15 10 17c-2-2-2.8-4.4-2.8-7S8 5 10 3Z",
  people: "M8 10a2.7 2.7 0 1 0 0-5.400A2.7 2.7 0 0 0 8 10ZM3 16c.3-2.7 2.3-4.3 5-4.300s4.7 1.6 5 4.300M13 5a2.5 2.5 0 0 1 0 4.800M14.5 12c1.5.600 2.3 2 2.5 4",
  down: "M10 4v11.500M5 10.700l5 5 5-5",
  search: "M9 14.500a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11ZM13 13l4 4",
  check: "m4.5 10.5 3.7 3.7 7.3-8",
  more: "M5 10h.01M10 10h.01M15 10h.01",
  link: "M8.5 11.500a3 3 0 0 0 4.3 0l2.6-2.600a3 3 0 0 0-4.3-4.300l-.9.900M11.5 8.500a3 3 0 0 0-4.3 0l-2.6 2.600a3 3 0 0 0 4.3 4.300l.9-.9",
  leave: "M8 4H4.500v12H8M8.5 10H17M13.5 6.5 17 10l-3.5 3.5",
  keyboard: "M2.5 5.500h15v9h-15v-9ZM5.5 8.500h.01M8.5 8.500h.01M11.5 8.500h.01M14.5 8.500h.01M6.5 11.700h7",
  retry: "M15.5 8A6 6 0 1 0 16 11M16 4.500V8h-3.5",
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
      <path class="mark-far" d="M23 9.5 18.9 13.600M13.1 19.4 9 23.5" />
    </svg>
  );
}
