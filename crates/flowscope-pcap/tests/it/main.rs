//! Capture files made in memory, read, damaged, cut, compressed and written.

mod compressed;
mod damage;
mod files;
mod formats;
mod make;
mod read;
mod secrets;
mod written;
