//! Tests of the surrogate on tiny pictures, whose values are worked out by hand.

use std::fs;
use std::path::Path;

use alluvium_model::Seed;
use alluvium_strategy::conformance::{central, check_surrogate, expert};
use burn::tensor::Device;
use image::{Rgb, RgbImage};
use tempfile::TempDir;

use super::*;

/// A folder with three pictures, one of them in a subfolder, and files that are not pictures.
fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    let below = folder.path().join("below");
    fs::create_dir(&below).unwrap();
    RgbImage::from_pixel(2, 2, Rgb([0, 51, 255])).save(folder.path().join("z.png")).unwrap();
    RgbImage::from_fn(2, 2, |x, _| Rgb([255 * x as u8; 3])).save(below.join("a.PNG")).unwrap();
    RgbImage::from_pixel(6, 3, Rgb([255; 3])).save(folder.path().join("b.jpeg")).unwrap();
    fs::write(folder.path().join("README.txt"), "not a picture").unwrap();
    fs::write(folder.path().join("._z.png"), "not a picture").unwrap();
    folder
}

fn config(folder: &Path) -> ImageFolderConfig {
    ImageFolderConfig { folder: folder.to_owned(), samples: 12, ..Default::default() }
}

fn source(config: &ImageFolderConfig) -> ImageFolder {
    let pictures = Pictures::open(&config.folder, config.orientation).unwrap();
    ImageFolder { samples: config.samples, flip: config.flip, pictures }
}

fn draw(source: &mut dyn Surrogate, count: usize, input: [usize; 3], seed: u64) -> Result<Vec<f32>, SurrogateError> {
    let (previous, expert, compute) = (central(&[], 0), expert("a", 1), Device::flex());
    let (seed, input) = (Seed::new(seed), input.into());
    let request = SurrogateRequest { input, compute: &compute, seed, previous: &previous, expert: Some(&expert) };
    let inputs = source.draw(count, &request)?;
    assert_eq!((inputs.len(), inputs.shape()), (count, request.input));
    Ok(inputs.vectors().into_data().try_into_vec::<f32>().unwrap())
}

const COLOUR: [usize; 3] = [3, 2, 2];

#[test]
fn inputs_are_the_pictures_of_the_folder() {
    let folder = folder();
    let inputs = draw(&mut source(&config(folder.path())), 60, COLOUR, 0).unwrap();
    // 51/127.5 − 1 = −0.6; the second picture is black on the left and white on the right, or mirrored.
    let colours = [vec![-1.0; 4], vec![-0.6; 4], vec![1.0; 4]].concat();
    let edge = [-1.0, 1.0, -1.0, 1.0].repeat(3);
    let mirrored = [1.0, -1.0, 1.0, -1.0].repeat(3);
    let known = [colours, vec![1.0; 12], edge, mirrored];
    let mut times = [0; 4];
    for input in inputs.chunks(12) {
        let is = |known: &Vec<f32>| input.iter().zip(known).all(|(one, other)| (one - other).abs() < 1e-6);
        times[known.iter().position(is).unwrap_or_else(|| panic!("{input:?}"))] += 1;
    }
    assert!(times.iter().all(|times| *times >= 3), "{times:?}");
    // Luminance of the first picture: 0.587·51 + 0.114·255 = 59.007; 59/127.5 − 1 = −0.5373.
    let config = ImageFolderConfig { flip: false, ..config(folder.path()) };
    let grey = draw(&mut source(&config), 30, [1, 2, 2], 0).unwrap();
    assert!(grey.chunks(4).any(|input| input.iter().all(|value| (value + 0.537_255).abs() < 1e-5)));
    assert!(grey.chunks(4).all(|input| input != [1.0, -1.0, 1.0, -1.0]), "nothing is mirrored");
}

#[test]
fn conforms() {
    check_surrogate(&config(folder().path()));
}

#[test]
fn the_cache_does_not_change_results() {
    let folder = folder();
    let config = config(folder.path());
    let mut one = source(&config);
    let first = draw(&mut one, 12, COLOUR, 1).unwrap();
    draw(&mut one, 12, [1, 4, 4], 1).unwrap();
    assert_eq!(draw(&mut one, 12, COLOUR, 1).unwrap(), first);
    // Also without room in the cache.
    let mut forgetful = source(&config);
    forgetful.pictures.room = 0;
    assert_eq!(draw(&mut forgetful, 12, COLOUR, 1).unwrap(), first);
}

#[test]
fn a_picture_is_decoded_once_while_there_is_room() {
    let folder = folder();
    let (mut roomy, mut forgetful) = (source(&config(folder.path())), source(&config(folder.path())));
    forgetful.pictures.room = 0;
    let first = draw(&mut roomy, 30, COLOUR, 1).unwrap();
    draw(&mut forgetful, 30, COLOUR, 1).unwrap();
    fs::remove_file(folder.path().join("z.png")).unwrap();
    assert_eq!(draw(&mut roomy, 30, COLOUR, 1).unwrap(), first);
    let error = draw(&mut forgetful, 30, COLOUR, 1).unwrap_err().to_string();
    assert!(error.contains("z.png"), "{error}");
}

#[test]
fn the_files_are_the_pictures_in_order() {
    let folder = folder();
    let expected = ["b.jpeg", "below/a.PNG", "z.png"].map(|name| folder.path().join(name));
    assert_eq!(config(folder.path()).files(), expected);
    assert!(config(Path::new("/no/such/folder")).files().is_empty());
}

#[test]
fn errors_name_the_file() {
    let error = |folder: &Path| config(folder).build(&RunDescription::default()).unwrap_err().to_string();
    let missing = error(Path::new("/no/such/folder"));
    assert!(missing.contains("/no/such/folder") && missing.contains("a folder that can be read"), "{missing}");
    let folder = TempDir::new().unwrap();
    let empty = error(folder.path());
    assert!(
        empty.contains(&folder.path().display().to_string()) && empty.contains("does not hold a picture"),
        "{empty}"
    );

    let path = folder.path().join("one.png");
    fs::write(&path, "not a picture").unwrap();
    let broken = error(folder.path());
    assert!(broken.contains("one.png: cannot be decoded") && broken.contains("PNG or JPEG"), "{broken}");
    RgbImage::new(1, 9).save(&path).unwrap();
    assert!(error(folder.path()).contains("one.png: is 1×9 pixels"));
    // A sparse file does not take space on the disk.
    fs::File::create(&path).unwrap().set_len((256 << 20) + 1).unwrap();
    assert!(error(folder.path()).contains("one.png: is larger than 256 MiB"));

    // A valid header and half of the pixels: this error is found when the picture is drawn.
    RgbImage::from_fn(64, 64, |x, y| Rgb([x as u8, (x * y) as u8, 3])).save(&path).unwrap();
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let error = draw(config(folder.path()).build(&RunDescription::default()).unwrap().as_mut(), 1, COLOUR, 0)
        .unwrap_err()
        .to_string();
    assert!(error.contains("one.png: cannot be decoded"), "{error}");
}

#[test]
fn pictures_are_turned_on_request() {
    let folder = TempDir::new().unwrap();
    // Greys 0 to 5, 3×2, and in EXIF the orientation 6: turned clockwise.
    let mut bytes = vec![];
    let mut encoder = image::codecs::png::PngEncoder::new(&mut bytes);
    let exif = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    image::ImageEncoder::set_exif_metadata(&mut encoder, exif.to_vec()).unwrap();
    RgbImage::from_fn(3, 2, |x, y| Rgb([(3 * y + x) as u8; 3])).write_with_encoder(encoder).unwrap();
    fs::write(folder.path().join("a.png"), bytes).unwrap();
    let greys = |orientation, input| {
        let config = ImageFolderConfig { flip: false, orientation, ..config(folder.path()) };
        let drawn = draw(&mut source(&config), 1, input, 0).unwrap();
        drawn.iter().map(|value| ((value + 1.0) * 127.5).round() as u8).collect::<Vec<_>>()
    };
    assert_eq!(greys(PictureOrientation::Ignore, [1, 2, 3]), [0, 1, 2, 3, 4, 5]);
    assert_eq!(greys(PictureOrientation::Apply, [1, 3, 2]), [3, 0, 4, 1, 5, 2]);
    assert_eq!(ImageFolderConfig::default().orientation, PictureOrientation::Ignore);
}
