//! JPEG: segments, each with a marker, and the picture itself behind a scan's header.

use image::metadata::Orientation;

use super::Rest;

const START: [u8; 2] = [0xff, 0xd8];
const END: [u8; 2] = [0xff, 0xd9];
const SCAN: u8 = 0xda;
const EXIF: &[u8] = b"Exif\0\0";

pub(super) fn clean(mut rest: Rest<'_>, clean: &mut Vec<u8>) -> Option<()> {
    rest.expect(&START)?;
    clean.extend_from_slice(&START);
    let mut has_scan = false;
    let mut has_orientation = false;
    loop {
        if rest.0.is_empty() && has_scan {
            // Cut off behind a scan: what there is of the picture can be looked at.
            clean.extend_from_slice(&END);
            return Some(());
        }
        let marker = marker(&mut rest)?;
        match marker {
            0xd9 => {
                clean.extend_from_slice(&END);
                return has_scan.then_some(());
            }
            // Markers that stand alone.
            0x01 | 0xd0..=0xd7 => continue,
            _ => {}
        }
        let length = rest.ahead::<2>().map(u16::from_be_bytes)?;
        let segment = rest.take(usize::from(length.max(2)))?;
        let content = &segment[2..];
        if is_picture(marker, content) {
            clean.extend_from_slice(&[0xff, marker]);
            clean.extend_from_slice(segment);
        } else if let Some(told) = content.strip_prefix(EXIF)
            && !has_orientation
        {
            has_orientation = true;
            orient(told, clean);
        }
        if marker == SCAN {
            has_scan = true;
            clean.extend_from_slice(scan(&mut rest));
        }
    }
}

/// The next marker; any number of bytes may fill the room before it.
fn marker(rest: &mut Rest<'_>) -> Option<u8> {
    rest.expect(&[0xff])?;
    loop {
        match rest.byte()? {
            0xff => {}
            0 => return None,
            marker => return Some(marker),
        }
    }
}

/// Whether a segment is part of the picture: what of the application segments says how colours are meant,
/// and all that is no application segment and no comment.
fn is_picture(marker: u8, content: &[u8]) -> bool {
    match marker {
        0xe0 => content.starts_with(b"JFIF\0"),
        0xe2 => content.starts_with(b"ICC_PROFILE\0"),
        0xee => content.starts_with(b"Adobe"),
        0xc0..=0xdf => true,
        _ => false,
    }
}

/// The coded picture, up to the marker behind it.
fn scan<'a>(rest: &mut Rest<'a>) -> &'a [u8] {
    let is_marker = |pair: &[u8]| pair[0] == 0xff && !matches!(pair[1], 0 | 0xd0..=0xd7 | 0xff);
    let length = rest.0.windows(2).position(is_marker);
    rest.take(length.unwrap_or(rest.0.len()))
        .unwrap_or_default()
}

/// Says how the picture is to be held, if that is not as it is, and nothing else.
fn orient(told: &[u8], clean: &mut Vec<u8>) {
    let orientation = Orientation::from_exif_chunk(told).unwrap_or(Orientation::NoTransforms);
    if orientation == Orientation::NoTransforms {
        return;
    }
    // One entry in a directory of one: tag 0x0112, a short, once.
    clean.extend_from_slice(&[0xff, 0xe1, 0, 34]);
    clean.extend_from_slice(EXIF);
    clean.extend_from_slice(b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0");
    clean.push(orientation.to_exif());
    clean.extend_from_slice(&[0; 6]);
}
