//! Streams over capture files and over sources that follow a script.

mod async_reader;
#[cfg(unix)]
mod blocking;
mod broadcast;
mod guide;
mod handles;
mod replay;
mod source;
mod streams;
mod turns;
