//! Taking out of pictures everything that is no picture: where and when it was taken and by whom, comments,
//! what programs left, and whatever was hung on behind. The pixels stay as they are, to the bit.
//!
//! What is kept is named, what is not known goes. A file that is not built as its kind is, is no picture.

mod gif;
mod jpeg;
mod png;
mod webp;

use image::ImageFormat;

/// The picture alone; nothing of what is none.
pub(super) fn cleaned(format: ImageFormat, bytes: &[u8]) -> Option<Vec<u8>> {
    let mut clean = Vec::with_capacity(bytes.len());
    let rest = Rest(bytes);
    match format {
        ImageFormat::Jpeg => jpeg::clean(rest, &mut clean)?,
        ImageFormat::Png => png::clean(rest, &mut clean)?,
        ImageFormat::Gif => gif::clean(rest, &mut clean)?,
        ImageFormat::WebP => webp::clean(rest, &mut clean)?,
        _ => return None,
    }
    Some(clean)
}

/// What of a file is still to be read. Nothing comes of reading beyond its end.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    /// As many bytes as the next must be these.
    fn expect(&mut self, bytes: &[u8]) -> Option<()> {
        (self.take(bytes.len())? == bytes).then_some(())
    }

    /// The next bytes, without taking them.
    fn ahead<const N: usize>(&self) -> Option<[u8; N]> {
        self.0.first_chunk().copied()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use image::{DynamicImage, ImageReader, RgbImage};

    use super::*;

    const SECRET: &[u8] = b"51.4778 N, 0.0014 W";

    fn picture(format: ImageFormat) -> Vec<u8> {
        let image = RgbImage::from_fn(40, 30, |x, y| {
            let shade = |n: u32| u8::try_from(n % 256).unwrap();
            image::Rgb([shade(x * 7), shade(y * 11), shade(x * y)])
        });
        let mut bytes = Vec::new();
        let mut cursor = Cursor::new(&mut bytes);
        DynamicImage::ImageRgb8(image)
            .write_to(&mut cursor, format)
            .unwrap();
        bytes
    }

    fn pixels(format: ImageFormat, bytes: &[u8]) -> Vec<u8> {
        let reader = ImageReader::with_format(Cursor::new(bytes), format);
        reader.decode().unwrap().into_bytes()
    }

    fn has_secret(bytes: &[u8]) -> bool {
        bytes.windows(SECRET.len()).any(|window| window == SECRET)
    }

    /// The bytes with others put in at a place.
    fn with(bytes: &[u8], at: usize, more: &[u8]) -> Vec<u8> {
        [&bytes[..at], more, &bytes[at..]].concat()
    }

    fn segment(marker: u8, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len() + 2).unwrap();
        [&[0xff, marker][..], &length.to_be_bytes(), content].concat()
    }

    /// Exif as a camera writes it that was held upright, with where it was.
    fn exif() -> Vec<u8> {
        let mut exif =
            b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0".to_vec();
        exif.extend_from_slice(SECRET);
        exif
    }

    #[test]
    fn a_photo_tells_nothing_but_how_it_is_to_be_held() {
        let photo = picture(ImageFormat::Jpeg);
        let told = [
            segment(0xe1, &exif()),
            segment(0xe1, &[b"http://ns.adobe.com/xap/1.0/\0", SECRET].concat()),
            segment(0xed, &[b"Photoshop 3.0\0", SECRET].concat()),
            segment(0xfe, SECRET),
        ];
        let mut telling = with(&photo, 2, &told.concat());
        telling.extend_from_slice(b"PK\x03\x04");
        telling.extend_from_slice(SECRET);
        assert!(has_secret(&telling));
        let clean = cleaned(ImageFormat::Jpeg, &telling).unwrap();
        assert!(!has_secret(&clean));
        assert_eq!(
            pixels(ImageFormat::Jpeg, &clean),
            pixels(ImageFormat::Jpeg, &photo)
        );
        let mut decoder = ImageReader::with_format(Cursor::new(&clean), ImageFormat::Jpeg)
            .into_decoder()
            .unwrap();
        let orientation = image::ImageDecoder::orientation(&mut decoder).unwrap();
        assert_eq!(orientation.to_exif(), 6);
    }

    #[test]
    fn the_other_kinds_tell_nothing() {
        let text = |kind: &[u8; 4]| {
            let length = u32::try_from(SECRET.len()).unwrap().to_be_bytes();
            // Whether its checksum is right is no matter of what goes.
            [&length[..], kind, SECRET, &[0; 4]].concat()
        };
        let png = picture(ImageFormat::Png);
        let telling_png = with(
            &png,
            33,
            &[text(b"tEXt"), text(b"eXIf"), text(b"zzZz")].concat(),
        );

        let gif = picture(ImageFormat::Gif);
        let colours = 13 + 3 * (2 << (gif[10] & 7));
        let length = u8::try_from(SECRET.len()).unwrap();
        let block = [&[length][..], SECRET, &[0]].concat();
        let comment = [&[0x21, 0xfe][..], &block].concat();
        let xmp = [&[0x21, 0xff, 11][..], b"XMP DataXMP", &block].concat();
        let telling_gif = with(&gif, colours, &[comment, xmp].concat());

        let webp = picture(ImageFormat::WebP);
        let chunk = |kind: &[u8; 4]| {
            let length = u32::try_from(SECRET.len()).unwrap().to_le_bytes();
            [kind, &length[..], SECRET, &[0]].concat()
        };
        let telling_webp = with(
            &webp,
            webp.len(),
            &[chunk(b"EXIF"), chunk(b"XMP ")].concat(),
        );

        for (format, plain, telling) in [
            (ImageFormat::Png, png, telling_png),
            (ImageFormat::Gif, gif, telling_gif),
            (ImageFormat::WebP, webp, telling_webp),
        ] {
            let telling = [telling.as_slice(), b"<script>alert(1)</script>", SECRET].concat();
            let mut telling = telling;
            if format == ImageFormat::WebP {
                // What its header does not count is not read at all.
                let counted = u32::try_from(telling.len() - 8 - SECRET.len() - 25).unwrap();
                telling[4..8].copy_from_slice(&counted.to_le_bytes());
            }
            assert!(has_secret(&telling));
            let clean = cleaned(format, &telling).unwrap_or_else(|| panic!("{format:?}"));
            assert!(!has_secret(&clean), "{format:?}");
            assert_eq!(clean, plain, "{format:?}: nothing else is changed");
        }
    }

    #[test]
    fn what_is_not_built_as_a_picture_is_none() {
        for format in [
            ImageFormat::Jpeg,
            ImageFormat::Png,
            ImageFormat::Gif,
            ImageFormat::WebP,
        ] {
            let whole = picture(format);
            assert!(cleaned(format, &whole).is_some(), "{format:?}");
            for length in 0..whole.len().min(64) {
                // Cut anywhere in its head, and never a panic.
                assert!(
                    cleaned(format, &whole[..length]).is_none(),
                    "{format:?} {length}"
                );
            }
            let page = [&whole[..8], b"<html><script>alert(1)</script>"].concat();
            assert!(cleaned(format, &page).is_none(), "{format:?}");
        }
    }
}
