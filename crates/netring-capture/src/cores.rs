use std::io;

use crate::sys;

/// Numbers of the CPU cores that the calling thread may use, for [`pin_to_core`]. Empty if the
/// kernel does not report them.
#[must_use]
pub fn cores() -> Vec<usize> {
    sys::affinity().unwrap_or_default()
}

/// Restricts the calling thread, and threads that it starts later, to one CPU core. A worker that
/// reads one queue, or is one member of a fanout group, then keeps its flows in one cache.
///
/// # Errors
///
/// When there is no such core, or the process may not use it.
pub fn pin_to_core(core: usize) -> io::Result<()> {
    sys::set_affinity(core)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "asks the kernel")]
    fn a_pinned_thread_has_one_core() {
        let before = cores();
        assert!(!before.is_empty() && before.is_sorted());
        for &core in &before {
            let pinned = thread::spawn(move || pin_to_core(core).map(|()| cores()));
            assert_eq!(pinned.join().unwrap().unwrap(), [core]);
        }
        assert_eq!(cores(), before, "other threads stay where they were");
    }

    #[test]
    #[cfg_attr(miri, ignore = "asks the kernel")]
    fn a_core_that_is_not_there_is_refused() {
        for core in [8191, 8192, usize::MAX] {
            let kind = pin_to_core(core).unwrap_err().kind();
            assert_eq!(kind, io::ErrorKind::InvalidInput, "{core}");
        }
    }
}
