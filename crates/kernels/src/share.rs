//! Divides work between threads.
//!
//! The caller cuts the pieces, either by shape alone or such that no sum depends on the cut. The number of threads only
//! decides which thread works on which piece, so it does not change the results.

/// The number of weights that one thread steps at a time.
pub(crate) const PIECE: usize = 1 << 16;

/// The smallest number of weights for which several threads are faster than one.
pub(crate) const MANY: usize = 1 << 20;

/// The number of threads to use for a step of `weights` weights. It does not change the results: each is computed separately.
pub(crate) fn workers(weights: usize, threads: usize) -> usize {
    if weights < MANY { 1 } else { threads }
}

/// Calls `work` on every piece, in order on one thread, or in contiguous runs on up to `threads` of rayon's.
///
/// `work` gets all pieces of a run at once, so that it can keep its buffers between them.
pub(crate) fn share<P: Send>(threads: usize, pieces: Vec<P>, work: impl Fn(Vec<P>) + Sync) {
    let threads = threads.clamp(1, pieces.len().max(1));
    if threads == 1 {
        return work(pieces);
    }
    let total = pieces.len();
    let mut rest = pieces.into_iter();
    rayon::scope(|scope| {
        for thread in 0..threads {
            let length = total * (thread + 1) / threads - total * thread / threads;
            let run: Vec<P> = rest.by_ref().take(length).collect();
            let work = &work;
            scope.spawn(move |_| work(run));
        }
    });
}

/// The number of images from `images` that a piece should hold so that at most `pieces` pieces come out.
pub(crate) fn images_a_piece(images: usize, pieces: usize) -> usize {
    images.div_ceil(pieces).max(1)
}
