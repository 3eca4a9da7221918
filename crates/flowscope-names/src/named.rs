use flowscope_core::{L4Proto, Probe};
use flowscope_record::ByteSet;

use crate::answer::Answer;
use crate::text::one_of;

/// A protocol over one transport that flows are named by, and that no parser reads.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct NamedProtocol {
    /// The name in `app_proto` and `--protocol`, in lower case.
    pub name: &'static str,
    /// TCP or UDP.
    pub transport: L4Proto,
    /// The ports on which the signature is probed whatever the first byte is.
    pub ports: &'static [u16],
    /// Whether bytes that only may be the protocol's are enough on one of its ports.
    pub or_port: bool,
    /// What Zeek calls it in `service` of `conn.log`.
    pub service: &'static str,
    /// How it begins.
    pub signature: Signature,
    /// The document that the signature is from.
    pub source: &'static str,
}

/// How a protocol begins.
#[derive(Clone, Copy, Debug)]
pub struct Signature(Look, ByteSet);

#[derive(Clone, Copy, Debug)]
enum Look {
    Begins(&'static [&'static [u8]]),
    Stream(fn(&[u8]) -> Answer),
    Datagram(fn(&[u8], usize) -> Answer),
}

/// It begins with one of these words.
pub(crate) const fn begins(words: &'static [&'static [u8]]) -> Signature {
    let mut first_bytes = ByteSet::NONE;
    let mut at = 0;
    while at < words.len() {
        first_bytes = first_bytes.with(words[at][0]);
        at += 1;
    }
    Signature(Look::Begins(words), first_bytes)
}

/// A stream begins with one of these bytes, and then as the function says of its start. Without any, it is asked on
/// its ports only.
pub(crate) const fn stream(first_bytes: ByteSet, probe: fn(&[u8]) -> Answer) -> Signature {
    Signature(Look::Stream(probe), first_bytes)
}

/// The same of a datagram and its length on the wire, in bytes.
pub(crate) const fn datagram(first_bytes: ByteSet, probe: fn(&[u8], usize) -> Answer) -> Signature {
    Signature(Look::Datagram(probe), first_bytes)
}

/// As many bytes of a stream are looked at.
const START: usize = 256;

impl NamedProtocol {
    /// Whether it is asked about bytes that begin so, on any port.
    #[must_use]
    pub fn begins_with(&self, first: u8) -> bool {
        self.signature.1.contains(first)
    }

    /// Whether flows are named on other ports too.
    #[must_use]
    pub fn by_bytes(&self) -> bool {
        !self.signature.1.is_empty()
    }

    /// Whether these bytes are the start of a stream, or a datagram, of the protocol.
    ///
    /// A datagram has `len` bytes, of which more may have been captured than are here. `on_port` says whether a
    /// port of the flow is one of the protocol's. An answer of [`Probe::Yes`] or [`Probe::No`] about a stream stays the
    /// same when more bytes follow.
    #[must_use]
    pub fn probe(&self, bytes: &[u8], len: usize, on_port: bool) -> Probe {
        let is_stream = self.transport == L4Proto::Tcp;
        let bytes = if is_stream { &bytes[..bytes.len().min(START)] } else { bytes };
        let answer = match self.signature.0 {
            Look::Begins(words) => one_of(bytes, words),
            Look::Stream(probe) => probe(bytes),
            Look::Datagram(probe) => probe(bytes, len.max(bytes.len())),
        };
        match answer {
            Answer::Yes => Probe::Yes,
            Answer::OnPort if on_port && self.or_port => Probe::Maybe,
            Answer::Maybe if is_stream && bytes.len() < START => Probe::Maybe,
            Answer::OnPort | Answer::Maybe | Answer::No => Probe::No,
        }
    }
}

/// A protocol over TCP.
pub(crate) const fn tcp(
    name: &'static str,
    ports: &'static [u16],
    signature: Signature,
    source: &'static str,
) -> NamedProtocol {
    let transport = L4Proto::Tcp;
    NamedProtocol { name, transport, ports, or_port: false, service: name, signature, source }
}

/// A protocol over UDP.
pub(crate) const fn udp(
    name: &'static str,
    ports: &'static [u16],
    signature: Signature,
    source: &'static str,
) -> NamedProtocol {
    NamedProtocol { transport: L4Proto::Udp, ..tcp(name, ports, signature, source) }
}

impl NamedProtocol {
    /// The same, named on its ports by bytes too that only may be its own.
    pub(crate) const fn or_port(self) -> Self {
        NamedProtocol { or_port: true, ..self }
    }

    /// The same, with another name in Zeek's logs.
    pub(crate) const fn zeek(self, service: &'static str) -> Self {
        NamedProtocol { service, ..self }
    }
}
