/** A text for a camera. It is black on white in every scheme: not every camera reads it the other way round. */

import { generate } from "lean-qr";

/** Cameras need that much white around it. */
const quiet = 4;

export function QrCode({ text, label }: { text: string; label: string }) {
  const code = generate(text);
  const side = code.size + 2 * quiet;
  const dots: string[] = [];
  for (let y = 0; y < code.size; y += 1) {
    for (let x = 0; x < code.size; x += 1) if (code.get(x, y)) dots.push(`M${x + quiet} ${y + quiet}h1v1h-1z`);
  }
  return (
    <svg class="qr-code" viewBox={`0 0 ${side} ${side}`} role="img" aria-label={label} shape-rendering="crispEdges" data-testid="qr-code">
      <rect width={side} height={side} fill="#fff" />
      <path d={dots.join("")} fill="#000" />
    </svg>
  );
}
