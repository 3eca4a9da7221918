//! The recipes of the session guide, compiled and run as doctests. The programs are in `src/bin`.

#[cfg(doctest)]
#[doc = include_str!("../../../docs/SESSION_GUIDE.md")]
struct SessionGuide;

#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
