//! Captures on veth pairs, each test in a network namespace of its own, so that nothing of it can
//! reach the machine's interfaces or outlive it. Where namespaces are not permitted, a test says
//! that it was skipped, and why; with `REQUIRE_NETNS=1` that is a failure.

#![cfg(target_os = "linux")]

/// The name by which the test runner knows a test of the module at hand.
macro_rules! name {
    ($test:ident) => {
        concat!(module_path!(), "::", stringify!($test))
    };
}

mod fanout;
mod frames;
mod interface;
mod losses;
mod world;
#[cfg(feature = "af-xdp")]
mod xdp;

/// Counts allocations in the tests that ask for it.
#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;
