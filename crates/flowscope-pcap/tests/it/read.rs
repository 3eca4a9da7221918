//! Reading to the end, and readers that make it hard.

use std::io::{self, Read};

use flowscope_core::{PacketSource, PacketView};
use flowscope_pcap::{CaptureReader, Interface, ReadConfig, ReadError};

use crate::make::Random;

/// What a view said.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Packet {
    pub(crate) ts: u64,
    pub(crate) link: u16,
    pub(crate) wire: u32,
    pub(crate) interface: Option<u32>,
    pub(crate) frame: Vec<u8>,
}

impl From<&PacketView<'_>> for Packet {
    fn from(view: &PacketView<'_>) -> Packet {
        Packet {
            ts: view.ts().as_nanos(),
            link: view.link().0,
            wire: view.wire_len(),
            interface: view.interface(),
            frame: view.frame().to_vec(),
        }
    }
}

/// All that a capture gave.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) packets: Vec<Packet>,
    pub(crate) interfaces: Vec<Interface>,
    pub(crate) error: Option<ReadError>,
    pub(crate) truncated: u64,
    pub(crate) buffer: usize,
}

impl Outcome {
    /// Everything that must not depend on how the bytes came.
    pub(crate) fn facts(&self) -> (&[Packet], Option<String>, u64) {
        (&self.packets, self.error.as_ref().map(ToString::to_string), self.truncated)
    }

    /// Offset of the damage.
    pub(crate) fn damaged_at(&self) -> Option<u64> {
        match self.error {
            Some(ReadError::Damaged { offset, .. }) => Some(offset),
            _ => None,
        }
    }
}

pub(crate) fn read(input: impl Read) -> Outcome {
    read_with(input, ReadConfig::default())
}

/// Reads to the end, and checks what holds for every input on the way.
pub(crate) fn read_with(input: impl Read, config: ReadConfig) -> Outcome {
    let mut outcome =
        Outcome { packets: vec![], interfaces: vec![], error: None, truncated: 0, buffer: 0 };
    let mut reader = match CaptureReader::with_config(input, config) {
        Ok(reader) => reader,
        Err(error) => {
            assert!(!matches!(error, ReadError::Damaged { .. }), "damage when opened: {error}");
            outcome.error = Some(error);
            return outcome;
        }
    };
    loop {
        let mut calls = 0;
        let before = outcome.packets.len();
        let batch = reader.next_batch(&mut |views| {
            calls += 1;
            outcome.packets.extend(views.iter().map(Packet::from));
        });
        let lent = outcome.packets.len() - before;
        match batch {
            Ok(0) => {
                assert_eq!((lent, calls), (0, 0), "packets lent at the end");
                break;
            }
            Ok(n) => assert_eq!((lent, calls), (n, 1), "a batch is lent in one call"),
            Err(error) => {
                assert_eq!((lent, calls), (0, 0), "packets lent with an error");
                if let ReadError::Damaged { offset, .. } = error {
                    assert_eq!(offset, reader.position());
                }
                outcome.error = Some(error);
                break;
            }
        }
    }
    for _ in 0..2 {
        let after = reader.next_batch(&mut |_| panic!("packets after the end"));
        assert!(matches!(after, Ok(0)), "{after:?} after the end");
    }
    assert_eq!(reader.packets(), outcome.packets.len() as u64);
    outcome.interfaces = reader.interfaces().to_vec();
    outcome.truncated = reader.truncated_packets();
    outcome.buffer = reader.buffer_capacity();
    outcome
}

/// Gives a few bytes at a time, and is interrupted now and then.
pub(crate) struct Trickle<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) most: usize,
    pub(crate) random: Random,
}

impl<'a> Trickle<'a> {
    pub(crate) fn new(bytes: &'a [u8], most: usize) -> Trickle<'a> {
        Trickle { bytes, most, random: Random(0x9e37_79b9) }
    }
}

impl Read for Trickle<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.random.below(10) == 0 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let most = buf.len().min(1 + self.random.below(self.most));
        let room = buf.get_mut(..most).unwrap_or_default();
        self.bytes.read(room)
    }
}

/// Gives its bytes, then an error.
pub(crate) struct Failing<'a>(pub(crate) &'a [u8]);

impl Read for Failing<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buf)? {
            0 => Err(io::Error::other("the cable was pulled")),
            n => Ok(n),
        }
    }
}
