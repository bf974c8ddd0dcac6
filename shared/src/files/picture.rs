//! Drawing a small picture of a large one, in bounded memory: a few hundred bytes can claim to be a picture
//! of a million pixels a side. It takes time, so it is done where it holds up nobody.

use std::io::Cursor;

use image::{
    DynamicImage, ImageDecoder as _, ImageError, ImageFormat, ImageReader, Limits,
    codecs::jpeg::JpegEncoder, metadata::Orientation,
};

/// A picture that was drawn as a whole.
pub(super) struct Drawn {
    /// Its width and height, as it is to be looked at.
    pub(super) pixels: (u32, u32),
    pub(super) thumbnail: Thumbnail,
}

/// A small picture of it.
pub(super) struct Thumbnail {
    pub(super) mime: &'static str,
    pub(super) bytes: Vec<u8>,
}

/// A picture that was not.
pub(super) struct Undrawn {
    /// What it says of itself.
    pub(super) pixels: Option<(u32, u32)>,
    pub(super) reason: ImageError,
}

/// Phones send pictures of 12 to 50 million pixels.
const MAX_PIXELS: u64 = 50_000_000;
/// No side may be longer.
const MAX_SIDE: u32 = 30_000;
/// What a picture and its decoder may take.
const MAX_MEMORY_BYTES: u64 = 256 * 1_024 * 1_024;
/// The longer side of the small picture.
const THUMBNAIL_SIDE: u32 = 512;
const JPEG_QUALITY: u8 = 80;

/// Draws it, and a small one. Of what moves, the first picture.
pub(super) fn draw(format: ImageFormat, bytes: &[u8]) -> Result<Drawn, Undrawn> {
    let mut pixels = None;
    let drawn = decode(format, bytes, &mut pixels).and_then(|(image, orientation)| {
        let thumbnail = thumbnail(&image, orientation)?;
        Ok((image, orientation, thumbnail))
    });
    match drawn {
        Ok((image, orientation, thumbnail)) => Ok(Drawn {
            pixels: turned((image.width(), image.height()), orientation),
            thumbnail,
        }),
        Err(reason) => Err(Undrawn { pixels, reason }),
    }
}

fn decode(
    format: ImageFormat,
    bytes: &[u8],
    pixels: &mut Option<(u32, u32)>,
) -> Result<(DynamicImage, Orientation), ImageError> {
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_MEMORY_BYTES);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits.clone());
    let mut decoder = reader.into_decoder()?;
    let (width, height) = decoder.dimensions();
    let orientation = decoder.orientation()?;
    *pixels = Some(turned((width, height), orientation));
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(ImageError::Limits(image::error::LimitError::from_kind(
            image::error::LimitErrorKind::DimensionError,
        )));
    }
    limits.reserve(decoder.total_bytes())?;
    decoder.set_limits(limits)?;
    Ok((DynamicImage::from_decoder(decoder)?, orientation))
}

fn thumbnail(image: &DynamicImage, orientation: Orientation) -> Result<Thumbnail, ImageError> {
    let mut small = if image.width().max(image.height()) > THUMBNAIL_SIDE {
        image.thumbnail(THUMBNAIL_SIDE, THUMBNAIL_SIDE)
    } else {
        image.clone()
    };
    small.apply_orientation(orientation);
    let mut bytes = Vec::new();
    let mime = if small.color().has_alpha() {
        let opaque_or_not = DynamicImage::ImageRgba8(small.into_rgba8());
        opaque_or_not.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png)?;
        "image/png"
    } else {
        let encoder = JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY);
        DynamicImage::ImageRgb8(small.into_rgb8()).write_with_encoder(encoder)?;
        "image/jpeg"
    };
    Ok(Thumbnail { mime, bytes })
}

/// How wide and high it is once it is turned as it says.
const fn turned((width, height): (u32, u32), orientation: Orientation) -> (u32, u32) {
    match orientation {
        Orientation::Rotate90
        | Orientation::Rotate270
        | Orientation::Rotate90FlipH
        | Orientation::Rotate270FlipH => (height, width),
        _ => (width, height),
    }
}

#[cfg(test)]
mod tests {
    use image::RgbaImage;

    use super::*;

    fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Vec::new();
        image
            .write_to(&mut Cursor::new(&mut bytes), format)
            .unwrap();
        bytes
    }

    #[test]
    fn every_kind_of_picture_is_drawn_small() {
        let opaque = DynamicImage::new_rgb8(1_200, 300);
        for (format, mime) in [
            (ImageFormat::Jpeg, "image/jpeg"),
            (ImageFormat::Png, "image/jpeg"),
            (ImageFormat::WebP, "image/jpeg"),
            (ImageFormat::Gif, "image/png"),
        ] {
            let Ok(drawn) = draw(format, &encoded(&opaque, format)) else {
                panic!("{format:?} is not drawn");
            };
            assert_eq!(drawn.pixels, (1_200, 300), "{format:?}");
            assert_eq!(drawn.thumbnail.mime, mime, "{format:?}");
            let small = image::load_from_memory(&drawn.thumbnail.bytes).unwrap();
            assert_eq!((small.width(), small.height()), (512, 128), "{format:?}");
        }
        let clear = DynamicImage::ImageRgba8(RgbaImage::new(20, 10));
        let Ok(drawn) = draw(ImageFormat::Png, &encoded(&clear, ImageFormat::Png)) else {
            panic!("a small picture is not drawn");
        };
        assert_eq!(drawn.thumbnail.mime, "image/png");
        let small = image::load_from_memory(&drawn.thumbnail.bytes).unwrap();
        assert_eq!(
            (small.width(), small.height()),
            (20, 10),
            "never larger than it is"
        );
    }

    #[test]
    fn what_claims_to_be_huge_is_not_drawn() {
        let mut png = encoded(&DynamicImage::new_luma8(1, 1), ImageFormat::Png);
        for (width, height) in [(1_000_000_u32, 1_000_000_u32), (29_999, 29_999)] {
            // The header's width and height, and its checksum.
            png[16..20].copy_from_slice(&width.to_be_bytes());
            png[20..24].copy_from_slice(&height.to_be_bytes());
            let crc = crc(&png[12..29]);
            png[29..33].copy_from_slice(&crc.to_be_bytes());
            assert!(draw(ImageFormat::Png, &png).is_err(), "{width}");
        }
    }

    /// As PNG has it.
    fn crc(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(u32::MAX, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
                (crc >> 1) ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 }
            })
        })
    }
}
