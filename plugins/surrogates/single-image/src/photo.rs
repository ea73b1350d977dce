//! The photo, kept at several sizes.

use std::path::Path;

use alluvium_strategy::{PictureOrientation, SurrogateError, decode_picture, interpolated, read_picture};
use image::RgbImage;
use image::imageops::{FilterType, resize};

/// A photo at full size and at repeatedly halved sizes, down to a few pixels.
///
/// A patch is sampled from the size with about the same resolution, so that a large crop is not aliased.
pub struct Photo {
    levels: Vec<RgbImage>,
}

impl std::fmt::Debug for Photo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [width, height] = self.size(0);
        write!(f, "Photo({width}×{height})")
    }
}

impl Photo {
    /// Reads a file.
    ///
    /// # Errors
    /// [`SurrogateError::File`] when it cannot be read or is not a photo.
    pub fn open(path: &Path, orientation: PictureOrientation) -> Result<Self, SurrogateError> {
        Ok(Self::new(read_picture(path, orientation)?))
    }

    /// Reads a built-in file.
    ///
    /// # Errors
    /// [`SurrogateError::File`] when the binary was built from a damaged file.
    pub fn embedded(name: &str, bytes: &[u8]) -> Result<Self, SurrogateError> {
        Ok(Self::new(decode_picture(name, bytes)?))
    }

    /// A photo of at least one pixel.
    pub fn new(full: RgbImage) -> Self {
        let mut levels = vec![full];
        while let Some(last) = levels.last().filter(|last| last.width().min(last.height()) >= 4) {
            levels.push(resize(last, last.width() / 2, last.height() / 2, FilterType::Triangle));
        }
        Photo { levels }
    }

    /// Width and height at a level, in pixels; level 0 is the full size, each further one about half.
    pub fn size(&self, level: usize) -> [f32; 2] {
        let image = &self.levels[level];
        [image.width() as f32, image.height() as f32]
    }

    /// The level whose pixels are nearest to `pixels` of the full size.
    pub fn level(&self, pixels: f32) -> usize {
        // A cast from float saturates, so less than one pixel gives level 0.
        (pixels.log2().round() as usize).min(self.levels.len() - 1)
    }

    /// Red, green and blue at a point, 0 to 255, interpolated between four pixels of the level. The point is in the
    /// level's pixels; the outermost pixels extend beyond the edge.
    pub fn at(&self, level: usize, point: [f32; 2]) -> [f32; 3] {
        let image = &self.levels[level];
        let within = |position: i32, count: u32| position.clamp(0, count as i32 - 1) as u32;
        interpolated(point, |column, row| {
            let pixel = image.get_pixel(within(column, image.width()), within(row, image.height()));
            pixel.0.map(f32::from)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use image::{ImageFormat, Rgb};

    use super::*;

    fn encoded(image: &RgbImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(vec![]);
        image.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    fn error(bytes: &[u8]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("photo.png");
        std::fs::write(&path, bytes).unwrap();
        let error = Photo::open(&path, PictureOrientation::Ignore).unwrap_err().to_string();
        assert!(error.contains("photo.png") && error.contains("PNG or JPEG"), "{error}");
        error
    }

    #[test]
    fn png_and_jpeg_are_read_with_any_name() {
        for format in [ImageFormat::Png, ImageFormat::Jpeg] {
            let photo =
                Photo::embedded("photo", &encoded(&RgbImage::from_pixel(9, 5, Rgb([200, 100, 50])), format)).unwrap();
            assert_eq!(photo.size(0), [9.0, 5.0]);
            let [red, green, blue] = photo.at(0, [4.0, 2.0]);
            assert!((red - 200.0).abs() < 4.0 && (green - 100.0).abs() < 4.0 && (blue - 50.0).abs() < 4.0);
        }
    }

    #[test]
    fn a_photo_is_turned_on_request() {
        let mut bytes = vec![];
        let mut encoder = image::codecs::png::PngEncoder::new(&mut bytes);
        // In EXIF the orientation 8: turned counter-clockwise.
        let exif = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x08\0\0\0\0\0\0";
        image::ImageEncoder::set_exif_metadata(&mut encoder, exif.to_vec()).unwrap();
        RgbImage::from_fn(3, 2, |x, _| Rgb([100 * x as u8; 3])).write_with_encoder(encoder).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("photo.png");
        std::fs::write(&path, bytes).unwrap();
        let photo = |orientation| Photo::open(&path, orientation).unwrap();
        assert_eq!(photo(PictureOrientation::Ignore).size(0), [3.0, 2.0]);
        let turned = photo(PictureOrientation::Apply);
        // What was on the right is now above.
        assert_eq!((turned.size(0), turned.at(0, [0.5, 0.5])[0]), ([2.0, 3.0], 200.0));
    }

    #[test]
    fn other_files_are_refused() {
        assert!(error(b"").contains("cannot be decoded"));
        assert!(error(b"no image at all, but some text").contains("cannot be decoded"));
        let small = encoded(&RgbImage::new(1, 7), ImageFormat::Png);
        assert!(error(&small).contains("is 1×7 pixels"));
        let whole = encoded(&RgbImage::from_fn(64, 64, |x, y| Rgb([x as u8, (x * y) as u8, 3])), ImageFormat::Png);
        for length in [8, 20, whole.len() / 2] {
            error(&whole[..length]);
        }
        let missing = Photo::open(Path::new("/no/such/photo.png"), PictureOrientation::Apply).unwrap_err().to_string();
        assert!(missing.contains("/no/such/photo.png") && missing.contains("No such file"), "{missing}");
    }

    /// A PNG header that states a size, with a right checksum and no pixels.
    fn header(width: u32, height: u32) -> Vec<u8> {
        let mut chunk = b"IHDR".to_vec();
        chunk.extend(width.to_be_bytes());
        chunk.extend(height.to_be_bytes());
        chunk.extend([8, 2, 0, 0, 0]);
        // CRC-32 of ISO 3309, bit by bit.
        let step = |crc: u32| if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 };
        let crc = chunk.iter().fold(!0u32, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc)));
        let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0d".to_vec();
        bytes.extend(chunk);
        bytes.extend((!crc).to_be_bytes());
        bytes.extend(b"\0\0\0\0IDAT\x35\xaf\x06\x1e");
        bytes
    }

    #[test]
    fn a_file_that_claims_too_many_pixels_is_refused_before_they_are_allocated() {
        assert!(error(&header(40_000, 40_000)).contains("is 40000×40000 pixels"));
        error(&header(u32::MAX, u32::MAX));
        error(&header(0, 0));
    }

    #[test]
    fn points_between_pixels_are_interpolated() {
        let photo = Photo::new(RgbImage::from_fn(2, 2, |x, y| Rgb([100 * x as u8, 50 * y as u8, 7])));
        // The centres of the pixels are at 0.5 and 1.5.
        assert_eq!(photo.at(0, [0.5, 0.5]), [0.0, 0.0, 7.0]);
        assert_eq!(photo.at(0, [1.0, 0.75]), [50.0, 12.5, 7.0]);
        assert_eq!(photo.at(0, [9.0, -9.0]), [100.0, 0.0, 7.0]);
    }

    #[test]
    fn levels_halve_the_size_and_keep_the_mean() {
        let checkers = RgbImage::from_fn(64, 32, |x, y| Rgb([255 * ((x + y) % 2) as u8; 3]));
        let photo = Photo::new(checkers);
        assert_eq!(
            (0..photo.levels.len()).map(|level| photo.size(level)[1]).collect::<Vec<_>>(),
            [32.0, 16.0, 8.0, 4.0, 2.0]
        );
        // A chessboard at half the size is grey, not black or white, so it is not aliased.
        let grey = photo.at(1, [16.0, 8.0])[0];
        assert!((grey - 127.5).abs() < 3.0, "{grey}");
        assert_eq!([0.3, 1.0, 1.4, 1.5, 4.0, 1e9].map(|pixels| photo.level(pixels)), [0, 0, 0, 1, 2, 4]);
    }
}
