//! End to end: packets in, events and records out.

mod driver;
mod fragments;
mod life;
