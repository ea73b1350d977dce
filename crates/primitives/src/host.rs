//! The host: what a program around the library ties to the threads that work for it.
//!
//! A plugin whose code runs in the host, as one in Python does, needs the way back to whoever asked for the work. A configuration may be
//! read in any thread of that work, so each of these threads knows the host.

use std::any::Any;
use std::cell::RefCell;
use std::sync::Arc;

/// What a host ties to its threads. Only the host knows the type.
pub type Host = Arc<dyn Any + Send + Sync>;

thread_local! {
    static HOST: RefCell<Option<Host>> = const { RefCell::new(None) };
}

/// The host that this thread works for, if there is one.
pub fn host() -> Option<Host> {
    HOST.with(|host| host.borrow().clone())
}

/// States the host that this thread works for. Who begins a thread gives it its own [`host`].
pub fn set_host(host: Option<Host>) {
    HOST.with(|own| *own.borrow_mut() = host);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thread_has_the_host_that_it_was_given() {
        set_host(Some(Arc::new(7_u8)));
        let own = || host().and_then(|host| host.downcast_ref::<u8>().copied());
        assert_eq!(own(), Some(7));
        let (given, other) = (host(), std::thread::spawn(own).join().unwrap());
        assert_eq!(other, None, "a new thread has none");
        let told = std::thread::spawn(move || {
            set_host(given);
            own()
        });
        assert_eq!(told.join().unwrap(), Some(7));
        set_host(None);
        assert!(host().is_none());
    }
}
