//! `flowscope-query` as a program.

#![allow(clippy::unwrap_used)]

mod answers;
mod faults;
mod formats;
mod program;
