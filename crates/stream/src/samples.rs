//! Labelled images, in memory or on disk.

use std::fmt::{self, Debug};
use std::sync::{Arc, OnceLock};

use alluvium_model::InputShape;

use crate::StreamError;

/// One part of a data set, training or test: its labels, and how to read its images.
///
/// A split only looks at labels. The images of a task are read when the task is requested. If the part has more than
/// 256 MiB, the images of a batch are read when the batch is needed. So a data set may be larger than the memory.
pub trait Images: Debug + Send + Sync {
    /// The shape of all images.
    fn input(&self) -> InputShape;

    /// The class of each image, as a number within the data set.
    fn labels(&self) -> &[usize];

    /// Reads the images with these indices, in this order, with their labels. Every index is below the number of
    /// labels. Calls may come from any thread, for a whole task or repeatedly for batches.
    ///
    /// # Errors
    /// [`StreamError::File`] of the first image, in this order, that cannot be read.
    fn read(&self, indices: &[usize]) -> Result<Samples, StreamError>;
}

/// Labelled images of one shape, one byte per value. Clones share the images.
///
/// The images are in memory or on disk. From disk, [`pieces`](Self::pieces) reads some at a time, and
/// [`held`](Self::held) reads all.
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

/// Some images of a data set.
struct OnDisk {
    images: Arc<dyn Images>,
    indices: Vec<usize>,
    /// All images in memory, after the first request for a single image.
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

    /// Creates samples from images that follow one another, and their labels.
    pub(crate) fn of_pixels(input: InputShape, pixels: Vec<u8>, labels: Vec<usize>) -> Self {
        Samples { input, pixels: Pixels::Held(Arc::new(pixels)), labels }
    }

    /// Creates samples that stay on disk: the images of a data set with these indices. Use it for a stream whose tasks
    /// may be larger than the memory.
    ///
    /// # Panics
    /// When an index is not below the number of the data set's labels. This is a defect of the stream.
    pub fn on_disk(images: &Arc<dyn Images>, indices: &[usize]) -> Self {
        let labels = indices.iter().map(|index| images.labels()[*index]).collect();
        let on_disk = OnDisk { images: Arc::clone(images), indices: indices.to_vec(), held: OnceLock::new() };
        Samples { input: images.input(), pixels: Pixels::OnDisk(Arc::new(on_disk)), labels }
    }

    /// The shape of one image.
    pub fn input(&self) -> InputShape {
        self.input
    }

    /// The number of samples.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The size of the images in bytes, in memory or on disk.
    pub fn bytes(&self) -> usize {
        self.len().saturating_mul(self.input.values())
    }

    /// The class of each sample, as a number within the stream.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// The values of one image, `[channels, height, width]`, 0 to 255. If the samples are on disk, the first call reads
    /// and keeps all of them. Use [`pieces`](Self::pieces) or [`select`](Self::select) if there may be many.
    ///
    /// # Panics
    /// When the samples are on disk and cannot be read.
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
                let held = on_disk.images.read(&on_disk.indices)?.held()?;
                Ok(Samples { labels: self.labels.clone(), ..held })
            }
        }
    }

    /// The samples in order, in pieces of the given number of samples. Each piece is read when it is reached.
    ///
    /// # Errors
    /// An item is [`StreamError::File`] when one of the piece's images cannot be read.
    ///
    /// # Panics
    /// When `samples` is 0.
    pub fn pieces(&self, samples: usize) -> impl Iterator<Item = Result<Samples, StreamError>> {
        let starts = (0..self.len()).step_by(samples);
        starts.map(move |start| self.select(start..self.len().min(start + samples)).held())
    }

    /// Adds one image of the stream's class `label`.
    ///
    /// # Panics
    /// When the image does not have the samples' shape, which is a defect of the reader; and as [`image`](Self::image).
    pub fn push(&mut self, image: &[u8], label: usize) {
        assert_eq!(image.len(), self.input.values(), "values of an image of shape {}", self.input);
        self.pixels_mut().extend_from_slice(image);
        self.labels.push(label);
    }

    /// The samples with these indices, in this order. Samples on disk are not read.
    pub fn select(&self, indices: impl IntoIterator<Item = usize>) -> Samples {
        match &self.pixels {
            Pixels::Held(_) => {
                let mut selected = Samples::new(self.input);
                for index in indices {
                    selected.push(self.image(index), self.labels[index]);
                }
                selected
            }
            Pixels::OnDisk(on_disk) => {
                let (own, labels): (Vec<_>, _) =
                    indices.into_iter().map(|index| (on_disk.indices[index], self.labels[index])).unzip();
                Samples { labels, ..Samples::on_disk(&on_disk.images, &own) }
            }
        }
    }

    /// The same images with other labels: `label` computes the new one from the index and the old one.
    pub fn relabelled(mut self, label: impl Fn(usize, usize) -> usize) -> Samples {
        self.labels.iter_mut().enumerate().for_each(|(index, own)| *own = label(index, *own));
        self
    }

    /// Adds all samples of `other`.
    ///
    /// # Panics
    /// When they have another shape; and as [`image`](Self::image).
    pub fn extend(&mut self, other: &Samples) {
        assert_eq!(self.input, other.input, "samples of one shape");
        let other = read(other.held());
        if let Pixels::Held(pixels) = &other.pixels {
            self.pixels_mut().extend_from_slice(pixels);
        }
        self.labels.extend_from_slice(&other.labels);
    }

    /// The images in memory, for adding more.
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

/// Unwraps samples where no error can be returned. A run reads every sample of its stream once before it computes
/// anything, so an error here means that a file was changed or removed since.
pub(crate) fn read(samples: Result<Samples, StreamError>) -> Samples {
    samples.unwrap_or_else(|error| panic!("samples can no longer be read: {error}"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::read_each;

    /// Images of one pixel, ten times their index, that count how many were read. Those from `broken` on cannot be
    /// read.
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

        fn read(&self, indices: &[usize]) -> Result<Samples, StreamError> {
            read_each(self, indices, |index, image| {
                if index >= self.broken {
                    return Err(StreamError::file(Path::new("gone.png"), "is gone"));
                }
                self.read.fetch_add(1, Ordering::SeqCst);
                image.copy_from_slice(&[10 * index as u8]);
                Ok(())
            })
        }
    }

    fn counting(broken: usize) -> Arc<Counting> {
        Arc::new(Counting { labels: (0..10).collect(), broken, read: AtomicUsize::new(0) })
    }

    fn images(samples: &Samples) -> Vec<u8> {
        (0..samples.len()).map(|index| samples.image(index)[0]).collect()
    }

    #[test]
    fn samples_on_disk_are_read_when_they_are_needed_and_no_more_of_them() {
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
        // A request for a single image reads all of them, once.
        assert_eq!((images(&samples), samples.image(2)), (vec![70, 30, 50, 10], &[50][..]));
        assert_eq!(counting.read.load(Ordering::SeqCst), 11);
    }

    #[test]
    fn samples_in_memory_and_on_disk_can_be_joined() {
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
