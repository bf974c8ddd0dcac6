//! PNG: a signature and chunks, each with its length, its kind and a checksum.

use super::Rest;

const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// The chunks of the picture, of how its colours are meant, and of its movement.
const PICTURE: [&[u8; 4]; 19] = [
    b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"cICP",
    b"mDCV", b"cLLI", b"sBIT", b"bKGD", b"hIST", b"pHYs", b"acTL", b"fcTL", b"fdAT",
];

/// Kind and checksum.
const AROUND_BYTES: usize = 8;

pub(super) fn clean(mut rest: Rest<'_>, clean: &mut Vec<u8>) -> Option<()> {
    rest.expect(SIGNATURE)?;
    clean.extend_from_slice(SIGNATURE);
    loop {
        let length = rest.take(4)?;
        let bytes = u32::from_be_bytes(length.try_into().ok()?);
        let chunk = rest.take(usize::try_from(bytes).ok()?.checked_add(AROUND_BYTES)?)?;
        let kind = chunk.first_chunk()?;
        if PICTURE.contains(&kind) {
            clean.extend_from_slice(length);
            clean.extend_from_slice(chunk);
        }
        if kind == b"IEND" {
            return Some(());
        }
    }
}
