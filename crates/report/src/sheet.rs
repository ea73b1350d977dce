//! Contact sheets: some samples side by side, as a PNG picture.

use std::io::Cursor;

use alluvium_results::SampleSheet;
use image::{DynamicImage, GrayAlphaImage, ImageFormat, LumaA, Rgba, RgbaImage};

use crate::error::ReportError;

/// The number of samples side by side.
const COLUMNS: usize = 8;

/// The gap between samples, in pixels.
const GAP: usize = 1;

/// The grey of the gaps. Samples are mostly on black or on white.
const GAP_GREY: u8 = 128;

/// The samples as a PNG picture: eight in a row, in their own size, with a pixel of grey between them. The rest of the last row
/// is transparent. The page enlarges the picture.
pub fn contact_sheet(sheet: &SampleSheet) -> Result<Vec<u8>, ReportError> {
    let sheet = Grid(sheet);
    sheet.check()?;
    let (width, height) = sheet.size();
    let (Ok(width), Ok(height)) = (u32::try_from(width), u32::try_from(height)) else {
        return Err(sheet.refuse(format!("{width} × {height} pixels are too many")));
    };
    let picture: DynamicImage = match sheet.0.channels {
        1 => GrayAlphaImage::from_fn(width, height, |x, y| LumaA(sheet.pixel([0], x, y))).into(),
        _ => RgbaImage::from_fn(width, height, |x, y| Rgba(sheet.pixel([0, 1, 2], x, y))).into(),
    };
    let mut png = Cursor::new(Vec::new());
    picture.write_to(&mut png, ImageFormat::Png).map_err(|error| sheet.refuse(error.to_string()))?;
    Ok(png.into_inner())
}

/// The grid of samples.
struct Grid<'a>(&'a SampleSheet);

impl Grid<'_> {
    fn check(&self) -> Result<(), ReportError> {
        let SampleSheet { channels, height, width, ref samples, .. } = *self.0;
        if !matches!(channels, 1 | 3) {
            return Err(self.refuse(format!("{channels} channels are neither grey nor colour")));
        }
        if samples.is_empty() || height == 0 || width == 0 {
            return Err(self.refuse("there is nothing to show".to_owned()));
        }
        let expected = channels * height * width;
        match samples.iter().position(|sample| sample.len() != expected) {
            Some(index) => Err(self.refuse(format!(
                "sample {index} has {} values, not {channels} × {height} × {width}",
                samples[index].len()
            ))),
            None => Ok(()),
        }
    }

    fn refuse(&self, reason: String) -> ReportError {
        ReportError::Sheet { title: self.0.title.clone(), reason }
    }

    /// The picture's width and height.
    fn size(&self) -> (usize, usize) {
        let columns = self.0.samples.len().min(COLUMNS);
        let rows = self.0.samples.len().div_ceil(COLUMNS);
        (columns * (self.0.width + GAP) - GAP, rows * (self.0.height + GAP) - GAP)
    }

    /// The pixel of the picture at a position: the value of each of these channels, and its opacity.
    fn pixel<const CHANNELS: usize, const VALUES: usize>(
        &self,
        channels: [usize; CHANNELS],
        x: u32,
        y: u32,
    ) -> [u8; VALUES] {
        let (x, y) = (x as usize, y as usize);
        let (column, left) = (x / (self.0.width + GAP), x % (self.0.width + GAP));
        let (row, top) = (y / (self.0.height + GAP), y % (self.0.height + GAP));
        let mut pixel = [0; VALUES];
        let Some(sample) = self.0.samples.get(row * COLUMNS + column) else { return pixel };
        let is_gap = left == self.0.width || top == self.0.height;
        for channel in channels {
            pixel[channel] =
                if is_gap { GAP_GREY } else { sample[(channel * self.0.height + top) * self.0.width + left] };
        }
        pixel[CHANNELS] = u8::MAX;
        pixel
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grey(samples: usize) -> SampleSheet {
        // Two pixels wide, one high: the number of the sample, and that number plus 100.
        let samples = (0..samples as u8).map(|number| vec![number, number + 100]).collect();
        SampleSheet { title: "digits".into(), channels: 1, height: 1, width: 2, samples, sounds: vec![] }
    }

    fn read(sheet: &SampleSheet) -> DynamicImage {
        image::load_from_memory(&contact_sheet(sheet).expect("makes")).expect("reads")
    }

    #[test]
    fn nine_samples_take_two_rows() {
        let picture = read(&grey(9)).into_luma_alpha8();
        assert_eq!(picture.dimensions(), (8 * 3 - 1, 3));
        let row: Vec<u8> = (0..23).map(|x| picture.get_pixel(x, 0)[0]).collect();
        let expected =
            [0, 100, 128, 1, 101, 128, 2, 102, 128, 3, 103, 128, 4, 104, 128, 5, 105, 128, 6, 106, 128, 7, 107];
        assert_eq!(row, expected);
        assert_eq!(picture.get_pixel(0, 1).0, [128, 255], "the gap between the rows");
        let last: Vec<[u8; 2]> = (0..4).map(|x| picture.get_pixel(x, 2).0).collect();
        assert_eq!(last, [[8, 255], [108, 255], [128, 255], [0, 0]], "nothing stands beside the ninth");
    }

    #[test]
    fn colours_are_planes() {
        let sheet = SampleSheet {
            title: "t".into(),
            channels: 3,
            height: 1,
            width: 2,
            samples: vec![vec![1, 2, 3, 4, 5, 6]],
            sounds: vec![],
        };
        let picture = read(&sheet).into_rgb8();
        assert_eq!(picture.dimensions(), (2, 1));
        assert_eq!((picture.get_pixel(0, 0).0, picture.get_pixel(1, 0).0), ([1, 3, 5], [2, 4, 6]));
    }

    #[test]
    fn what_is_no_sheet_is_refused_by_name() {
        let refused = |change: fn(&mut SampleSheet), expected: &str| {
            let mut sheet = grey(2);
            change(&mut sheet);
            let message = contact_sheet(&sheet).expect_err("no sheet").to_string();
            assert!(message.contains("`digits`") && message.contains(expected), "{message}");
        };
        refused(|sheet| sheet.samples[1].push(0), "sample 1 has 3 values, not 1 × 1 × 2");
        refused(|sheet| sheet.channels = 2, "2 channels");
        refused(|sheet| sheet.samples.clear(), "nothing to show");
        refused(|sheet| sheet.width = 0, "nothing to show");
    }
}
