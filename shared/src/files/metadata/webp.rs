//! WebP: a RIFF file of chunks, each with its kind and its length, filled up to an even one.

use super::Rest;

/// The chunks of the picture, of its colours and of its movement.
const PICTURE: [&[u8; 4]; 7] = [
    b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP",
];
/// The flags by which the head of a file tells of Exif and XMP.
const TELLING: u8 = 0x08 | 0x04;
const HEAD_BYTES: usize = 8;

pub(super) fn clean(mut rest: Rest<'_>, clean: &mut Vec<u8>) -> Option<()> {
    rest.expect(b"RIFF")?;
    let length = length(&mut rest)?;
    // What follows behind the end is not part of it.
    let mut rest = Rest(rest.take(length)?);
    rest.expect(b"WEBP")?;
    clean.extend_from_slice(b"RIFF\0\0\0\0WEBP");
    let mut has_picture = false;
    while !rest.0.is_empty() {
        let chunk = rest.0;
        let kind = rest.take(4)?.first_chunk()?;
        let length = self::length(&mut rest)?;
        rest.take(length)?;
        if length % 2 == 1 {
            // Some leave out the last one.
            rest.take(1.min(rest.0.len()))?;
        }
        if !PICTURE.contains(&kind) {
            continue;
        }
        let at = clean.len();
        clean.extend_from_slice(&chunk[..chunk.len() - rest.0.len()]);
        match kind {
            b"VP8X" => *clean.get_mut(at + HEAD_BYTES)? &= !TELLING,
            b"VP8 " | b"VP8L" | b"ANMF" => has_picture = true,
            _ => {}
        }
    }
    let length = u32::try_from(clean.len() - HEAD_BYTES).ok()?;
    clean[4..8].copy_from_slice(&length.to_le_bytes());
    has_picture.then_some(())
}

fn length(rest: &mut Rest<'_>) -> Option<usize> {
    let bytes = rest.take(4)?.try_into().ok()?;
    usize::try_from(u32::from_le_bytes(bytes)).ok()
}
