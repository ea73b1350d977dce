//! Miniatures of the benchmarks' data, each in its true format: all classes, and a few images of each.

use std::fs;
use std::path::Path;

use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage};

/// A picture whose left half tells its class.
fn picture(side: u32, class: usize, number: usize) -> RgbImage {
    let colour = |x: u32| if x < side / 2 { [class as u8, (7 * class) as u8, 90] } else { [number as u8, 128, 200] };
    RgbImage::from_fn(side, side, |x, _| Rgb(colour(x)))
}

/// CIFAR-100, the binary version: two training images and one test image of each class. A record is the coarse label, the fine
/// label, and 32×32 values of red, of green and of blue.
pub fn cifar_100(folder: &Path) {
    let record = |class: usize, number: usize| {
        let picture = picture(32, class, number);
        let plane = |channel: usize| picture.pixels().map(move |pixel| pixel.0[channel]);
        [class as u8 / 5, class as u8].into_iter().chain((0..3).flat_map(plane)).collect::<Vec<_>>()
    };
    let records = |numbers: std::ops::Range<usize>| -> Vec<u8> {
        numbers.flat_map(|number| (0..100).flat_map(move |class| record(class, number))).collect()
    };
    fs::write(folder.join("train.bin"), records(0..2)).unwrap();
    fs::write(folder.join("test.bin"), records(2..3)).unwrap();
    let names: String = (0..100).map(|class| format!("class_{class}\n")).collect();
    fs::write(folder.join("fine_label_names.txt"), names).unwrap();
}

/// Tiny-ImageNet-200: two training images and one validation image of each class.
pub fn tiny_imagenet(folder: &Path) {
    let write = |path: &Path, class: usize, number: usize| {
        let mut bytes = vec![];
        picture(64, class, number).write_with_encoder(JpegEncoder::new(&mut bytes)).unwrap();
        fs::write(path, bytes).unwrap();
    };
    fs::create_dir_all(folder.join("val/images")).unwrap();
    let (mut ids, mut words, mut annotations) = (String::new(), String::new(), String::new());
    for class in 0..200 {
        let id = format!("n{:08}", 1_000_000 + class);
        let images = folder.join("train").join(&id).join("images");
        fs::create_dir_all(&images).unwrap();
        (0..2).for_each(|number| write(&images.join(format!("{id}_{number}.JPEG")), class, number));
        write(&folder.join(format!("val/images/val_{class}.JPEG")), class, 2);
        ids += &format!("{id}\n");
        words += &format!("{id}\tclass {class}, another word\n");
        annotations += &format!("val_{class}.JPEG\t{id}\t0\t0\t63\t63\n");
    }
    fs::write(folder.join("wnids.txt"), ids).unwrap();
    fs::write(folder.join("words.txt"), words).unwrap();
    fs::write(folder.join("val/val_annotations.txt"), annotations).unwrap();
}

/// CORe50: one frame of each object in each session, 16×16.
pub fn core50(folder: &Path) {
    for (session, object) in (1..=11).flat_map(|session| (1..=50).map(move |object| (session, object))) {
        let own = folder.join(format!("s{session}/o{object}"));
        fs::create_dir_all(&own).unwrap();
        picture(16, object, session).save(own.join(format!("C_{session:02}_{object:02}_000.png"))).unwrap();
    }
}
