//! Streams over capture files and over sources that follow a script.

#[cfg(unix)]
mod blocking;
mod broadcast;
mod replay;
mod source;
mod streams;
mod turns;
