//! Streams over capture files and over sources that follow a script.

#[cfg(unix)]
mod blocking;
mod broadcast;
mod handles;
mod replay;
mod source;
mod streams;
mod turns;
