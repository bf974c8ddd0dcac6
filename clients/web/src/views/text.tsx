/** A body as text: nothing in it is read as HTML, and only web addresses become links. */

import { pieces } from "../state/links";

export function Text({ body }: { body: string }) {
  return (
    <>
      {pieces(body).map((piece) =>
        piece.href === undefined ? (
          piece.text
        ) : (
          <a href={piece.href} target="_blank" rel="noopener noreferrer nofollow">
            {piece.text}
          </a>
        ),
      )}
    </>
  );
}
