//! What a file is, by what is in it. What its sender says of it is not asked.

use image::ImageFormat;

/// How much of a file says what it is.
pub(super) const BEGINNING_BYTES: u64 = 8 * 1_024;

const BYTES: &str = "application/octet-stream";
const TEXT: &str = "text/plain";

/// The kinds of pictures that every browser shows and none runs.
const PICTURES: [(&str, ImageFormat); 4] = [
    ("image/jpeg", ImageFormat::Jpeg),
    ("image/png", ImageFormat::Png),
    ("image/gif", ImageFormat::Gif),
    ("image/webp", ImageFormat::WebP),
];

/// The media type of a file that begins so.
pub(super) fn of(beginning: &[u8]) -> &'static str {
    match infer::get(beginning) {
        Some(kind) => kind.mime_type(),
        None if is_text(beginning) => TEXT,
        None => BYTES,
    }
}

/// As what a picture of this media type is drawn; nothing of what is no picture.
pub(super) fn picture(mime: &str) -> Option<ImageFormat> {
    let found = PICTURES.iter().find(|(picture, _)| *picture == mime);
    found.map(|(_, format)| *format)
}

/// As what a file is handed out: what a browser could run, or take for a page, is bytes to it.
pub fn served_as(mime: &str) -> &str {
    let is_harmless = picture(mime).is_some()
        || mime.starts_with("audio/")
        || mime.starts_with("video/")
        || [TEXT, "application/pdf", "application/zip"].contains(&mime);
    match mime {
        // Without it a browser guesses.
        TEXT => "text/plain; charset=utf-8",
        mime if is_harmless => mime,
        _ => BYTES,
    }
}

fn is_text(beginning: &[u8]) -> bool {
    let text = match str::from_utf8(beginning) {
        Ok(text) => text,
        // Only the last character is cut.
        Err(error) if error.error_len().is_none() && error.valid_up_to() > 0 => {
            str::from_utf8(&beginning[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !text.is_empty() && !text.contains(|c: char| c.is_control() && !"\n\r\t\u{c}".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_run_is_bytes() {
        for page in [
            "<!DOCTYPE html><script>alert(1)</script>",
            "<html><body onload=alert(1)>",
            "<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
            "<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>",
            "#!/bin/sh\nrm -rf /",
        ] {
            let kind = of(page.as_bytes());
            assert!(picture(kind).is_none(), "{page}: {kind}");
            let served = served_as(kind);
            assert!(
                [BYTES, "text/plain; charset=utf-8"].contains(&served),
                "{page}: {served}"
            );
        }
    }

    #[test]
    fn text_is_text_in_every_script() {
        assert_eq!(of("Tee?".as_bytes()), TEXT);
        assert_eq!(of(&"\u{5bff}\u{53f8}".as_bytes()[..5]), TEXT);
        assert_eq!(of(b"a\0b"), BYTES);
        assert_eq!(of(b"\xff\xfe\xfd"), BYTES);
        assert_eq!(of(b""), BYTES);
        assert_eq!(of(b"%PDF-1.7\n"), "application/pdf");
    }
}
