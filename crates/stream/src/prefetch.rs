//! Prepares items on a thread of its own before they are needed.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

/// Items that a thread prepares in order, at most `room` in advance.
///
/// At most `room` items wait while one more is prepared, so memory is bounded. If the thread panics, the next call of
/// `next` panics. Dropping this stops the thread and waits for it.
#[derive(Debug)]
pub(crate) struct Prefetch<T> {
    ready: Option<Receiver<T>>,
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl<T: Send + 'static> Prefetch<T> {
    /// Starts the thread. `make` gives one item after another, and `None` after the last one. When its flag becomes
    /// true, the item is no longer needed, and `make` may return `None`.
    ///
    /// # Panics
    /// When the system cannot start a thread.
    pub(crate) fn start(room: usize, mut make: impl FnMut(&AtomicBool) -> Option<T> + Send + 'static) -> Self {
        let (sender, ready) = sync_channel(room);
        let stopped = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stopped);
        let thread = std::thread::spawn(move || {
            while let Some(item) = make(&told) {
                // Waits until there is room; fails once the receiver is gone.
                if sender.send(item).is_err() {
                    return;
                }
            }
        });
        Prefetch { ready: Some(ready), stopped, thread: Some(thread) }
    }
}

impl<T> Iterator for Prefetch<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        if let Ok(item) = self.ready.as_ref()?.recv() {
            return Some(item);
        }
        // The thread has ended, either after its last item or with a panic.
        self.ready = None;
        match self.thread.take()?.join() {
            Ok(()) => None,
            Err(panic) => resume_unwind(panic),
        }
    }
}

impl<T> Drop for Prefetch<T> {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        self.ready = None;
        if let Some(thread) = self.thread.take() {
            // A panic matters no more than the remaining items.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::AtomicUsize;
    use std::time::{Duration, Instant};

    use super::*;

    /// Waits for a condition for at most ten seconds; returns whether it became true.
    fn comes(condition: impl Fn() -> bool) -> bool {
        let started = Instant::now();
        while !condition() {
            if started.elapsed() > Duration::from_secs(10) {
                return false;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        true
    }

    /// The numbers of items: those alive, and the most that were ever alive at the same time.
    #[derive(Default)]
    struct ItemCounts {
        alive: AtomicUsize,
        most: AtomicUsize,
    }

    impl ItemCounts {
        fn alive(&self) -> usize {
            self.alive.load(Ordering::SeqCst)
        }
    }

    /// An item that is counted while it lives.
    struct CountedItem {
        number: usize,
        counts: Arc<ItemCounts>,
    }

    impl Drop for CountedItem {
        fn drop(&mut self) {
            self.counts.alive.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// Endless items, and their counts.
    fn counted(room: usize) -> (Prefetch<CountedItem>, Arc<ItemCounts>) {
        let counts = Arc::<ItemCounts>::default();
        let (own, mut number) = (Arc::clone(&counts), 0);
        let make = move |_: &AtomicBool| {
            let alive = own.alive.fetch_add(1, Ordering::SeqCst) + 1;
            own.most.fetch_max(alive, Ordering::SeqCst);
            number += 1;
            Some(CountedItem { number, counts: Arc::clone(&own) })
        };
        (Prefetch::start(room, make), counts)
    }

    #[test]
    fn items_come_in_order_and_end() {
        let mut numbers = 0..100;
        let prefetch = Prefetch::start(3, move |_| numbers.next());
        assert!(prefetch.eq(0..100));
        let mut none = Prefetch::start(1, |_| None::<()>);
        assert!(none.next().is_none() && none.next().is_none());
    }

    #[test]
    fn no_more_items_live_than_there_is_room_for() {
        let (mut prefetch, counts) = counted(2);
        // Two wait, and a third has been made and waits for room.
        assert!(comes(|| counts.alive() == 3));
        for number in 1..20 {
            let item = prefetch.next().unwrap();
            assert_eq!(item.number, number);
            // This one, and three as before.
            assert!(comes(|| counts.alive() == 4));
        }
        assert_eq!(counts.most.load(Ordering::SeqCst), 4);
    }

    #[test]
    fn dropping_it_ends_the_thread_while_it_waits_for_room() {
        let (prefetch, counts) = counted(2);
        assert!(comes(|| counts.alive() == 3));
        drop(prefetch);
        assert_eq!(counts.alive(), 0, "the thread has ended, and its items with it");
    }

    #[test]
    fn dropping_it_stops_the_thread_in_the_middle_of_an_item() {
        let [begun, told] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
        let (own_begun, own_told) = (Arc::clone(&begun), Arc::clone(&told));
        let prefetch = Prefetch::start(2, move |stopped| -> Option<()> {
            own_begun.store(true, Ordering::SeqCst);
            own_told.store(comes(|| stopped.load(Ordering::Relaxed)), Ordering::SeqCst);
            None
        });
        assert!(comes(|| begun.load(Ordering::SeqCst)));
        drop(prefetch);
        assert!(told.load(Ordering::SeqCst), "the thread was stopped in the middle, and waited for");
    }

    #[test]
    fn a_panic_of_the_thread_reaches_the_caller() {
        let mut numbers = 0..3;
        let mut prefetch = Prefetch::start(1, move |_| match numbers.next() {
            Some(number) => Some(number),
            None => panic!("no more of them"),
        });
        assert_eq!([prefetch.next(), prefetch.next(), prefetch.next()], [Some(0), Some(1), Some(2)]);
        let panic = catch_unwind(AssertUnwindSafe(|| prefetch.next())).unwrap_err();
        assert_eq!(panic.downcast_ref(), Some(&"no more of them"));
        assert!(prefetch.next().is_none());
    }
}
