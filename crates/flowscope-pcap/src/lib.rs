//! Reads and writes capture files: pcap and pcapng, plain or compressed.
//!
//! [`CaptureReader`] reads one file, pipe or byte slice and delivers its packets in batches, borrowed from
//! its buffer. [`CaptureFiles`] reads several files as one capture. [`CaptureWriter`] writes captures for
//! other tools.
//!
//! | | read | written |
//! |---|---|---|
//! | pcap | microseconds and nanoseconds, both byte orders; "modified" (Kuznetzov), little-endian | nanoseconds, little-endian |
//! | pcapng | any number of sections and interfaces, each with its own byte order, link type, resolution and offset; enhanced, simple and obsolete packet blocks; interface statistics; decryption secrets | one section, one interface per link type, enhanced packet blocks |
//! | compressed | gzip (any number of members) and zstd (any number of frames), recognised by their magic numbers | no |
//!
//! # Guarantees for any input
//!
//! No input causes a panic or an endless loop. Memory is bounded: a buffer of 64 KiB grows with received
//! bytes, never because of a length field, and never beyond [`ReadConfig::max_record`]; up to 65 536
//! interfaces; a zstd window of at most 128 MiB. A damaged or cut file gives every packet before the damage,
//! then one [`ReadError::Damaged`] that names the byte where the broken record starts, then nothing. An input
//! that is not a capture gives [`ReadError::NotACapture`] when it is opened.
//!
//! # Sources
//!
//! The formats are those of draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng, and blocks are parsed by the
//! `pcap-parser` crate. Where the drafts leave a choice, this crate follows Wireshark, as documented at each
//! item.
//!
//! # Example
//!
//! ```
//! use flowscope_pcap::{
//!     CaptureReader, CaptureWriter, LinkType, PacketSource, PacketView, Timestamp,
//! };
//!
//! let mut writer = CaptureWriter::pcapng(Vec::new())?;
//! for second in 1..=3 {
//!     let frame = [0; 60];
//!     writer.write(PacketView::new(&frame, LinkType::ETHERNET, Timestamp::from_secs(second)))?;
//! }
//! let file = writer.finish()?;
//!
//! let mut reader = CaptureReader::new(file.as_slice())?;
//! let mut last = Timestamp::ZERO;
//! while reader.next_batch(&mut |packets| last = packets[packets.len() - 1].ts())? > 0 {}
//! assert_eq!(reader.packets(), 3);
//! assert_eq!(last, Timestamp::from_secs(3));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod clock;
mod decompress;
mod error;
mod files;
mod input;
mod interface;
mod legacy;
mod ng;
mod reader;
mod secrets;
mod step;
mod window;
mod writer;

pub use decompress::Compression;
pub use error::{Expected, ReadError, WriteError};
pub use files::CaptureFiles;
#[doc(no_inline)]
pub use flowscope_core::{LinkType, PacketSource, PacketView, Timestamp, VlanTag};
pub use input::Input;
pub use interface::Interface;
pub use reader::{CaptureReader, Format, ReadConfig};
pub use secrets::DecryptionSecrets;
pub use writer::CaptureWriter;
