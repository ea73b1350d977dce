//! Pictures: PNG and JPEG, read with limits, and brought to the shape of the inputs.
//!
//! Behind the feature `picture`. Errors describe the problem without the name of the file, which the caller adds.

mod files;
mod interpolation;
mod jpeg;
mod list;
mod orientation;

use std::io::{self, BufRead, BufReader, Cursor, Read, Seek};
use std::path::Path;

use alluvium_model::PictureShape;
use image::imageops::{FilterType, crop_imm, resize};
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, RgbImage};

use crate::file::regular;

pub use files::{PictureFiles, Size, shape_of};
pub use interpolation::interpolated;
pub use list::list;
pub use orientation::Orientation;

/// The largest file that is read, in bytes.
const LARGEST_FILE: u64 = 256 << 20;
/// The largest picture that is decoded, in pixels. A small file may claim any number of them.
const LARGEST_PICTURE: u64 = 50_000_000;

/// Reads a picture from a file. Grey becomes red, green and blue of equal value.
///
/// # Errors
/// A description of the problem, when it cannot be read, is not a regular file, is not a PNG or JPEG, is cut short, or
/// has more than 256 MiB, more than 50 million pixels or fewer than 2×2.
pub fn read(path: &Path, orientation: Orientation) -> Result<RgbImage, String> {
    let mut bytes = vec![];
    let read = regular(path).and_then(|file| file.take(LARGEST_FILE + 1).read_to_end(&mut bytes));
    read.map_err(|error| error.to_string())?;
    check_length(bytes.len() as u64)?;
    decode(&bytes, orientation)
}

/// Reads a picture from its bytes, as [`read`] does from a file.
///
/// # Errors
/// As [`read`].
pub fn decode(bytes: &[u8], orientation: Orientation) -> Result<RgbImage, String> {
    let reader = reader(Cursor::new(bytes))?;
    let format = reader.format();
    let mut decoder = reader.into_decoder().map_err(undecodable)?;
    check_size(decoder.dimensions())?;
    if format == Some(ImageFormat::Jpeg) && !jpeg::is_whole(bytes) {
        return Err(
            "cannot be decoded: it is cut short (the marker FF D9, with which a JPEG ends, is missing)".to_owned()
        );
    }
    let turn = orientation.turn(&mut decoder).map_err(undecodable)?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(undecodable)?;
    picture.apply_orientation(turn);
    Ok(picture.into_rgb8())
}

/// A reader for the format that the first bytes reveal.
fn reader<R: BufRead + Seek>(bytes: R) -> Result<ImageReader<R>, String> {
    let reader = ImageReader::new(bytes).with_guessed_format().map_err(|error| error.to_string())?;
    match reader.format() {
        Some(ImageFormat::Png | ImageFormat::Jpeg) => Ok(reader),
        _ => Err("cannot be decoded: it is neither PNG nor JPEG".to_owned()),
    }
}

/// The width and height of the picture that [`read`] gives. Only the header is read.
///
/// # Errors
/// As [`read`], for problems that the length and the header reveal.
pub fn dimensions(path: &Path, orientation: Orientation) -> Result<(u32, u32), String> {
    let file = regular(path).map_err(|error| error.to_string())?;
    check_length(file.metadata().map_err(|error| error.to_string())?.len())?;
    let mut decoder = reader(BufReader::new(file))?.into_decoder().map_err(undecodable)?;
    check_size(decoder.dimensions())?;
    let turn = orientation.turn(&mut decoder).map_err(undecodable)?;
    Ok(Orientation::turned(decoder.dimensions(), turn))
}

/// Converts a picture to an input, `[channels, height, width]`, 0 to 255. The largest area around its middle with the
/// input's proportions is resized by a triangle filter. Three channels are red, green and blue. With any other number,
/// every channel is the luminance.
pub fn fit(picture: &RgbImage, input: PictureShape) -> Vec<u8> {
    let (width, height) = picture.dimensions();
    let (columns, rows) = (input.width as u64, input.height as u64);
    // The product of two sides divided by the third, rounded to the nearest pixel.
    let side = |one: u32, other: u64, by: u64| ((2 * u64::from(one) * other + by) / (2 * by)).max(1) as u32;
    let (across, down) = if u64::from(width) * rows >= u64::from(height) * columns {
        (side(height, columns, rows).min(width), height)
    } else {
        (width, side(width, rows, columns).min(height))
    };
    let mut part = crop_imm(picture, (width - across) / 2, (height - down) / 2, across, down).to_image();
    if (u64::from(across), u64::from(down)) != (columns, rows) {
        part = resize(&part, input.width as u32, input.height as u32, FilterType::Triangle);
    }
    let plane = |channel: usize| {
        let value = move |colour: &image::Rgb<u8>| match input.channels {
            3 => colour.0[channel],
            _ => luminance(&colour.0.map(f32::from)).round() as u8,
        };
        part.pixels().map(value).collect::<Vec<_>>()
    };
    (0..input.channels).flat_map(plane).collect()
}

/// The luminance of red, green and blue (ITU-R BT.601).
pub fn luminance([red, green, blue]: &[f32; 3]) -> f32 {
    0.299 * red + 0.587 * green + 0.114 * blue
}

fn check_length(bytes: u64) -> Result<(), String> {
    let most = || format!("is larger than {} MiB", LARGEST_FILE >> 20);
    (bytes <= LARGEST_FILE).then_some(()).ok_or_else(most)
}

fn check_size((width, height): (u32, u32)) -> Result<(), String> {
    let fits = width >= 2 && height >= 2 && u64::from(width) * u64::from(height) <= LARGEST_PICTURE;
    fits.then_some(()).ok_or_else(|| format!("is {width}×{height} pixels"))
}

fn undecodable(error: ImageError) -> String {
    match error {
        ImageError::IoError(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            "cannot be decoded: it is cut short".to_owned()
        }
        error => format!("cannot be decoded ({error})"),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use image::Rgb;

    use super::*;

    /// The bytes of a PNG of this size that ends before its pixels.
    fn head_of_png(width: u32, height: u32) -> Vec<u8> {
        let chunk = |kind: &[u8; 4], data: &[u8]| {
            let mut sum = flate2::Crc::new();
            sum.update(kind);
            sum.update(data);
            [&(data.len() as u32).to_be_bytes()[..], kind, data, &sum.sum().to_be_bytes()].concat()
        };
        // Eight bits, red, green and blue, not interlaced.
        let size = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 2, 0, 0, 0]].concat();
        [b"\x89PNG\r\n\x1a\n".to_vec(), chunk(b"IHDR", &size), chunk(b"IDAT", &[0x78, 0x01])].concat()
    }

    #[test]
    fn a_small_file_that_claims_to_be_a_huge_picture_is_refused_by_its_header() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        for (width, height) in [(10_000, 5_001), (65_535, 65_535), (u32::MAX >> 1, 2), (1, 50)] {
            let bytes = head_of_png(width, height);
            let error = decode(&bytes, Orientation::Apply).unwrap_err();
            // The largest ones exceed the limits of the decoder, which has its own message.
            assert!(error.contains(&format!("is {width}×{height} pixels")) || error.contains("cannot be"), "{error}");
            fs::write(&path, bytes).unwrap();
            assert!(read(&path, Orientation::Ignore).is_err() && dimensions(&path, Orientation::Ignore).is_err());
        }
        assert!(decode(&head_of_png(10_000, 5_001), Orientation::Ignore).unwrap_err().contains("is 10000×5001 pixels"));
        // Fifty million pixels are accepted; this file lacks them.
        fs::write(&path, head_of_png(10_000, 5_000)).unwrap();
        assert_eq!(dimensions(&path, Orientation::Apply).unwrap(), (10_000, 5_000));
        assert!(read(&path, Orientation::Apply).unwrap_err().contains("cannot be decoded"));
    }

    #[test]
    fn a_picture_of_the_right_shape_stays_as_it_is() {
        let picture = RgbImage::from_fn(3, 2, |x, y| Rgb([x as u8, 10 + y as u8, 200]));
        let fitted = fit(&picture, [3, 2, 3].into());
        assert_eq!(fitted, [0, 1, 2, 0, 1, 2, 10, 10, 10, 11, 11, 11, 200, 200, 200, 200, 200, 200]);
        // 0.299·100 + 0.587·50 + 0.114·10 = 60.39
        let grey = fit(&RgbImage::from_pixel(2, 2, Rgb([100, 50, 10])), [1, 2, 2].into());
        assert_eq!(grey, [60; 4]);
    }

    #[test]
    fn half_the_size_is_the_triangle_filters() {
        // A pixel of half the size lies over the middle between two; with the filter two pixels wide either way, those
        // two weigh 3/4 and the next ones 1/4. The left one of [70, 0, 140, 0] is (3·70 + 3·0 + 140)/7 = 50, the right
        // one (0 + 3·140 + 3·0)/7 = 60.
        let picture = RgbImage::from_fn(4, 2, |x, _| Rgb([[70, 0, 140, 0][x as usize]; 3]));
        assert_eq!(fit(&picture, [1, 1, 2].into()), [50, 60]);
    }

    #[test]
    fn wide_and_high_pictures_are_cropped_evenly() {
        let wide = RgbImage::from_fn(6, 2, |x, _| Rgb([x as u8; 3]));
        assert_eq!(fit(&wide, [1, 2, 2].into()), [2, 3, 2, 3]);
        let high = RgbImage::from_fn(2, 6, |_, y| Rgb([y as u8; 3]));
        assert_eq!(fit(&high, [1, 2, 2].into()), [2, 2, 3, 3]);
    }

    /// A JPEG of 64×48 pixels, each another shade.
    fn jpeg() -> Vec<u8> {
        let mut bytes = vec![];
        let picture = RgbImage::from_fn(64, 48, |x, y| Rgb([4 * x as u8, 5 * y as u8, (x * y) as u8]));
        picture.write_with_encoder(image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 95)).unwrap();
        bytes
    }

    #[test]
    fn a_jpeg_that_is_cut_short_is_refused_and_one_with_trailing_bytes_is_read() {
        let whole = jpeg();
        let picture = decode(&whole, Orientation::Ignore).unwrap();
        // Pillow does the same ("image file is truncated"), even if only the end marker is missing.
        for length in (2..whole.len()).rev() {
            let error = decode(&whole[..length], Orientation::Ignore).unwrap_err();
            assert!(error.contains("cannot be decoded"), "cut at {length}: {error}");
        }
        assert!(decode(&whole[..whole.len() - 2], Orientation::Ignore).unwrap_err().contains("it is cut short"));
        assert_eq!(decode(&[&whole[..], b"after"].concat(), Orientation::Ignore).unwrap(), picture);
    }

    #[test]
    fn a_progressive_jpeg_and_a_png_that_are_cut_short_are_refused() {
        for (name, whole) in [
            ("progressive.jpeg", &include_bytes!("../../fuzz/corpus/picture/progressive.jpeg")[..]),
            ("colour.png", include_bytes!("../../fuzz/corpus/picture/colour.png")),
        ] {
            let picture = decode(whole, Orientation::Ignore).unwrap();
            for length in 0..whole.len() {
                // A PNG may lose the bytes after its pixels; the pixels stay the same.
                let cut = decode(&whole[..length], Orientation::Ignore);
                assert!(cut.is_err() || name.ends_with("png") && cut.unwrap() == picture, "{name} cut at {length}");
            }
        }
    }

    #[test]
    fn other_formats_are_refused() {
        // The first bytes of a GIF and of a WebP.
        for bytes in [&b"GIF89a"[..], b"RIFF\x24\0\0\0WEBPVP8 ", b"text", b""] {
            let error = decode(bytes, Orientation::Ignore).unwrap_err();
            assert_eq!(error, "cannot be decoded: it is neither PNG nor JPEG");
        }
    }

    /// A picture of 3×2 pixels whose reds are 0 to 5, row by row, as a PNG with an orientation in its chunk `eXIf`: a TIFF
    /// header, and a directory of one entry, the tag 0x0112, a 16-bit number.
    fn oriented(orientation: u8) -> Vec<u8> {
        let mut bytes = Cursor::new(vec![]);
        RgbImage::from_fn(3, 2, |x, y| Rgb([(3 * y + x) as u8, 0, 0])).write_to(&mut bytes, ImageFormat::Png).unwrap();
        let bytes = bytes.into_inner();
        let exif = [&b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0"[..], &[orientation], b"\0\0\0\0\0\0"].concat();
        let mut sum = flate2::Crc::new();
        sum.update(b"eXIf");
        sum.update(&exif);
        let chunk = [&(exif.len() as u32).to_be_bytes()[..], b"eXIf", &exif, &sum.sum().to_be_bytes()].concat();
        // Behind the signature and the header.
        let at = 8 + 25;
        [&bytes[..at], &chunk, &bytes[at..]].concat()
    }

    #[test]
    fn the_orientation_is_applied_on_request() {
        let reds =
            |picture: RgbImage| (picture.dimensions(), picture.pixels().map(|pixel| pixel.0[0]).collect::<Vec<_>>());
        // The results of Pillow's `ImageOps.exif_transpose` for [[0, 1, 2], [3, 4, 5]], by the definition of the tag: 1
        // as it is, 2 mirrored, 3 turned by 180°, 4 upside down, 5 rows as columns, 6 turned clockwise, 7 5's other
        // diagonal, 8 turned counter-clockwise.
        let expected = [
            ((3, 2), vec![0, 1, 2, 3, 4, 5]),
            ((3, 2), vec![2, 1, 0, 5, 4, 3]),
            ((3, 2), vec![5, 4, 3, 2, 1, 0]),
            ((3, 2), vec![3, 4, 5, 0, 1, 2]),
            ((2, 3), vec![0, 3, 1, 4, 2, 5]),
            ((2, 3), vec![3, 0, 4, 1, 5, 2]),
            ((2, 3), vec![5, 2, 4, 1, 3, 0]),
            ((2, 3), vec![2, 5, 1, 4, 0, 3]),
        ];
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        let stored = expected[0].clone();
        for (orientation, expected) in (1..=8).zip(&expected) {
            fs::write(&path, oriented(orientation)).unwrap();
            assert_eq!(&reds(read(&path, Orientation::Apply).unwrap()), expected, "{orientation}");
            assert_eq!(dimensions(&path, Orientation::Apply).unwrap(), expected.0, "{orientation}");
            assert_eq!(reds(read(&path, Orientation::Ignore).unwrap()), stored);
            assert_eq!(dimensions(&path, Orientation::Ignore).unwrap(), (3, 2));
        }
        // Not an orientation: as it is stored.
        assert_eq!(reds(decode(&oriented(9), Orientation::Apply).unwrap()), stored);
    }
}
