//! Labelled images, in memory or wherever they lie.

use std::fmt::{self, Debug};
use std::sync::{Arc, OnceLock};

use alluvium_model::InputShape;

use crate::StreamError;

/// One part of a data set, training or test: what a split needs to know of it, and how its images are read.
///
/// A split looks at labels alone. Images are read when a task is asked for, and only those of the task; in a part of more than
/// 256 MiB, when a batch of the task is asked for, and only those of the batch: a data set may be larger than the memory.
pub trait Images: Debug + Send + Sync {
    /// The shape that all images have.
    fn input(&self) -> InputShape;

    /// The class of each image, as a number within the data set; as many as there are images.
    fn labels(&self) -> &[usize];

    /// The images at some places, in that order, with their labels. Every place is below the number of labels. It may be asked
    /// for a whole task, and for a batch again and again, from any thread.
    ///
    /// # Errors
    /// [`StreamError::File`] when one of them cannot be read; the first one of the order, if there are several.
    fn read(&self, places: &[usize]) -> Result<Samples, StreamError>;
}

/// Labelled images of one shape, a byte a value. Clones share the images.
///
/// The images are in memory, or places of a data set that is too large for it: then [`pieces`](Self::pieces) reads some at a
/// time, and [`held`](Self::held) all of them.
#[derive(Clone)]
pub struct Samples {
    input: InputShape,
    pixels: Pixels,
    labels: Vec<usize>,
}

/// Where the images are.
#[derive(Clone)]
enum Pixels {
    /// In memory, one after another.
    Held(Arc<Vec<u8>>),
    /// In a data set.
    OnDisk(Arc<OnDisk>),
}

/// Some places of a data set.
struct OnDisk {
    images: Arc<dyn Images>,
    places: Vec<usize>,
    /// All of them in memory, once somebody asked for a single image.
    held: OnceLock<Samples>,
}

impl fmt::Debug for Samples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Samples({} of {})", self.len(), self.input)
    }
}

impl Samples {
    /// No samples yet.
    pub fn new(input: InputShape) -> Self {
        Self::of_pixels(input, vec![], vec![])
    }

    /// Images that lie one after another, with their labels.
    pub(crate) fn of_pixels(input: InputShape, pixels: Vec<u8>, labels: Vec<usize>) -> Self {
        Samples { input, pixels: Pixels::Held(Arc::new(pixels)), labels }
    }

    /// The images at some places of a data set, which are not read yet: for a stream whose tasks may be larger than the memory.
    ///
    /// # Panics
    /// When a place is not below the number of the data set's labels: that is a defect of the stream.
    pub fn on_disk(images: &Arc<dyn Images>, places: &[usize]) -> Self {
        let labels = places.iter().map(|place| images.labels()[*place]).collect();
        let on_disk = OnDisk { images: Arc::clone(images), places: places.to_vec(), held: OnceLock::new() };
        Samples { input: images.input(), pixels: Pixels::OnDisk(Arc::new(on_disk)), labels }
    }

    /// The shape of one image.
    pub fn input(&self) -> InputShape {
        self.input
    }

    /// How many samples there are.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// How many bytes the images have, in memory or not.
    pub fn bytes(&self) -> usize {
        self.len().saturating_mul(self.input.values())
    }

    /// The class of each sample, as a number within the stream.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// The values of one image, `[channels, height, width]`, 0 to 255. Of samples that are not in memory all are read at the
    /// first call, and kept: use [`pieces`](Self::pieces) or [`select`](Self::select) where there may be many.
    ///
    /// # Panics
    /// When the samples are not in memory and cannot be read.
    pub fn image(&self, index: usize) -> &[u8] {
        let size = self.input.values();
        match &self.pixels {
            Pixels::Held(pixels) => &pixels[index * size..(index + 1) * size],
            Pixels::OnDisk(on_disk) => on_disk.held.get_or_init(|| read(self.held())).image(index),
        }
    }

    /// The same samples with their images in memory.
    ///
    /// # Errors
    /// [`StreamError::File`] when one of them cannot be read.
    pub fn held(&self) -> Result<Samples, StreamError> {
        match &self.pixels {
            Pixels::Held(_) => Ok(self.clone()),
            Pixels::OnDisk(on_disk) => {
                let held = on_disk.images.read(&on_disk.places)?.held()?;
                Ok(Samples { labels: self.labels.clone(), ..held })
            }
        }
    }

    /// The samples in their order, so many at a time, each piece in memory when it is reached.
    ///
    /// # Errors
    /// A piece is [`StreamError::File`] when one of its images cannot be read.
    ///
    /// # Panics
    /// When a piece is to have no samples.
    pub fn pieces(&self, samples: usize) -> impl Iterator<Item = Result<Samples, StreamError>> {
        let starts = (0..self.len()).step_by(samples);
        starts.map(move |start| self.select(start..self.len().min(start + samples)).held())
    }

    /// Adds one image of the stream's class `label`.
    ///
    /// # Panics
    /// When the image does not have the samples' shape: that is a defect of the reader. As [`image`](Self::image).
    pub fn push(&mut self, image: &[u8], label: usize) {
        assert_eq!(image.len(), self.input.values(), "values of an image of shape {}", self.input);
        self.pixels_mut().extend_from_slice(image);
        self.labels.push(label);
    }

    /// The samples at some places, in that order. What is not in memory is not read.
    pub fn select(&self, places: impl IntoIterator<Item = usize>) -> Samples {
        match &self.pixels {
            Pixels::Held(_) => {
                let mut selected = Samples::new(self.input);
                for place in places {
                    selected.push(self.image(place), self.labels[place]);
                }
                selected
            }
            Pixels::OnDisk(on_disk) => {
                let (own, labels): (Vec<_>, _) =
                    places.into_iter().map(|place| (on_disk.places[place], self.labels[place])).unzip();
                Samples { labels, ..Samples::on_disk(&on_disk.images, &own) }
            }
        }
    }

    /// The same images with other labels: `label` gives the new one for a place and its old one.
    pub fn relabelled(mut self, label: impl Fn(usize, usize) -> usize) -> Samples {
        self.labels.iter_mut().enumerate().for_each(|(place, own)| *own = label(place, *own));
        self
    }

    /// Adds all samples of `other`.
    ///
    /// # Panics
    /// When they have another shape. As [`image`](Self::image).
    pub fn extend(&mut self, other: &Samples) {
        assert_eq!(self.input, other.input, "samples of one shape");
        let other = read(other.held());
        if let Pixels::Held(pixels) = &other.pixels {
            self.pixels_mut().extend_from_slice(pixels);
        }
        self.labels.extend_from_slice(&other.labels);
    }

    /// The images in memory, to add to.
    fn pixels_mut(&mut self) -> &mut Vec<u8> {
        if let Pixels::OnDisk(_) = self.pixels {
            *self = read(self.held());
        }
        match &mut self.pixels {
            Pixels::Held(pixels) => Arc::make_mut(pixels),
            Pixels::OnDisk(_) => unreachable!("samples are held once they were read"),
        }
    }
}

/// Samples where no error can be returned. Before a run computes anything it reads every sample of its stream once, so what
/// cannot be read here is a file that was changed or taken away since.
pub(crate) fn read(samples: Result<Samples, StreamError>) -> Samples {
    samples.unwrap_or_else(|error| panic!("samples cannot be read any more: {error}"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::read_each;

    /// Images of one pixel, ten times their place, that count how many were read; those from a place on cannot be.
    #[derive(Debug)]
    struct Counting {
        labels: Vec<usize>,
        broken: usize,
        read: AtomicUsize,
    }

    impl Images for Counting {
        fn input(&self) -> InputShape {
            [1, 1, 1].into()
        }

        fn labels(&self) -> &[usize] {
            &self.labels
        }

        fn read(&self, places: &[usize]) -> Result<Samples, StreamError> {
            read_each(self, places, |place, image| {
                if place >= self.broken {
                    return Err(StreamError::file(Path::new("gone.png"), "is gone"));
                }
                self.read.fetch_add(1, Ordering::SeqCst);
                image.copy_from_slice(&[10 * place as u8]);
                Ok(())
            })
        }
    }

    fn counting(broken: usize) -> Arc<Counting> {
        Arc::new(Counting { labels: (0..10).collect(), broken, read: AtomicUsize::new(0) })
    }

    fn images(samples: &Samples) -> Vec<u8> {
        (0..samples.len()).map(|place| samples.image(place)[0]).collect()
    }

    #[test]
    fn what_is_elsewhere_is_read_when_it_is_wanted_and_not_more_of_it() {
        let counting = counting(10);
        let own = Arc::clone(&counting) as Arc<dyn Images>;
        let samples = Samples::on_disk(&own, &[7, 3, 5, 1]).relabelled(|_, label| label + 100);
        let selected = samples.select([3, 1, 0]);
        assert_eq!((samples.labels(), selected.labels()), (&[107, 103, 105, 101][..], &[101, 103, 107][..]));
        assert_eq!((selected.len(), selected.bytes(), counting.read.load(Ordering::SeqCst)), (3, 3, 0));
        let mut pieces = selected.pieces(2);
        let first = pieces.next().unwrap().unwrap();
        assert_eq!((images(&first), first.labels()), (vec![10, 30], &[101, 103][..]));
        assert_eq!(counting.read.load(Ordering::SeqCst), 2);
        assert_eq!(images(&pieces.next().unwrap().unwrap()), [70]);
        assert!(pieces.next().is_none());
        let held = samples.held().unwrap();
        assert_eq!((images(&held), held.labels()), (vec![70, 30, 50, 10], samples.labels()));
        assert_eq!(counting.read.load(Ordering::SeqCst), 7);
        // A single image brings all of them, once.
        assert_eq!((images(&samples), samples.image(2)), (vec![70, 30, 50, 10], &[50][..]));
        assert_eq!(counting.read.load(Ordering::SeqCst), 11);
    }

    #[test]
    fn samples_from_both_places_can_be_put_together() {
        let own = counting(10) as Arc<dyn Images>;
        let mut samples = Samples::new([1, 1, 1].into());
        samples.push(&[5], 20);
        samples.extend(&Samples::on_disk(&own, &[2, 4]));
        let mut other = Samples::on_disk(&own, &[1]);
        other.extend(&samples);
        assert_eq!((images(&other), other.labels()), (vec![10, 5, 20, 40], &[1, 20, 2, 4][..]));
    }

    #[test]
    fn what_cannot_be_read_is_an_error_that_names_the_file() {
        let own = counting(5) as Arc<dyn Images>;
        let samples = Samples::on_disk(&own, &[3, 4, 5, 6]);
        assert_eq!(samples.held().unwrap_err().to_string(), "gone.png: is gone");
        let pieces: Vec<_> = samples.pieces(2).map(|piece| piece.is_ok()).collect();
        assert_eq!(pieces, [true, false]);
    }
}
