//! Which protocols are read, and what they say.

use flowscope::core::{L4Proto, Timestamp};
use flowscope::driver::{Protocols, Recognition};
use flowscope::output::ZeekFormat;
use flowscope::protocols::{
    self, NamedProtocol, ProtocolInfo, ProtocolVisitor, Registry, Selection,
};
use flowscope::record::{AnySchema, ParserOptions, Protocol, Record, Schema, Visitor};

use crate::raw::{Chunk, Digest, Digests, Raw};

/// What is read of the payload of flows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum PayloadMode {
    /// As much as shows the protocol.
    Recognise,
    /// Everything that these protocols say.
    Messages(MessageOptions),
    /// The bytes themselves.
    Raw,
    /// The bytes of TCP streams, summed up.
    Digest,
}

/// Protocols to be read, and how.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct MessageOptions {
    /// Those that have records.
    pub(crate) protocols: Selection,
    /// Those that are parsed; flows of others are recognised alone.
    pub(crate) parsed: Selection,
    /// Whether a request and its response are one record, as
    /// [`ParserOptions::transactions`] says.
    pub(crate) transactions: bool,
    /// Whether files are examined, as [`ParserOptions::files`] says.
    pub(crate) files: bool,
    /// How many bytes of each are kept.
    pub(crate) file_bytes: usize,
}

impl MessageOptions {
    pub(crate) const ALL: MessageOptions = {
        let (transactions, files, file_bytes) = (false, false, 0);
        let (protocols, parsed) = (Selection::ALL, Selection::ALL);
        MessageOptions { protocols, parsed, transactions, files, file_bytes }
    };

    /// Records of these protocols, also where they begin within another.
    pub(crate) fn of(self, protocols: Selection) -> Self {
        MessageOptions { protocols, parsed: protocols.with_carriers(), ..self }
    }

    /// Whether there is a record of this.
    pub(crate) fn has(self, record: &AppRecord) -> bool {
        match record {
            AppRecord::Protocol(record) => record.is_of(self.protocols),
            AppRecord::Raw(_) | AppRecord::Digest(_) => true,
        }
    }
}

/// One thing that was said.
#[derive(Clone, Debug)]
pub(crate) enum AppRecord {
    Protocol(protocols::AppRecord),
    Raw(Chunk),
    Digest(Box<Digests>),
}

impl From<protocols::AppRecord> for AppRecord {
    fn from(record: protocols::AppRecord) -> Self {
        AppRecord::Protocol(record)
    }
}

/// Bytes of a conversation have no columns: they are not written as records.
static RAW: Schema<()> = Schema::new("raw", |()| Timestamp::ZERO);

impl Record for AppRecord {
    fn visit<V: Visitor>(&self, visitor: V) -> V::Output {
        match self {
            AppRecord::Protocol(record) => record.visit(visitor),
            AppRecord::Raw(_) | AppRecord::Digest(_) => visitor.record(&RAW, &()),
        }
    }
}

impl MessageOptions {
    /// The schemas of its protocols.
    pub(crate) fn schemas(self) -> Vec<&'static dyn AnySchema> {
        self.protocols.protocols().map(|protocol| protocol.schema).collect()
    }

    /// Appends the header of the log of the first protocol.
    pub(crate) fn begin_log(self, zeek: &mut ZeekFormat, ts: Timestamp, out: &mut Vec<u8>) {
        if let Some(first) = self.protocols.protocols().next() {
            begin_log(first.name, zeek, ts, out);
        }
    }
}

/// Appends the header of a protocol's log, or of another log of this name.
pub(crate) fn begin_log(protocol: &str, zeek: &mut ZeekFormat, ts: Timestamp, out: &mut Vec<u8>) {
    struct Begin<'a>(&'a str, &'a mut ZeekFormat, Timestamp, &'a mut Vec<u8>);

    impl ProtocolVisitor for Begin<'_> {
        fn protocol<P: Protocol>(&mut self) {
            if P::NAME == self.0 {
                self.1.begin_log(P::SCHEMA, self.2, self.3);
            }
            for also in P::SCHEMA.zeek_also.iter().filter(|also| also.name == self.0) {
                self.1.begin_log(also, self.2, self.3);
            }
        }
    }

    protocols::for_each(&mut Begin(protocol, zeek, ts, out));
}

/// What Zeek calls a protocol over this transport: its log's name, or that of the protocol where nothing reads it.
pub(crate) fn zeek_service(protocol: &'static str, transport: L4Proto) -> &'static str {
    let read = protocols::all().iter().find(|known| known.name == protocol);
    let is_it = |known: &&NamedProtocol| known.name == protocol && known.transport == transport;
    let named = || protocols::named().iter().find(is_it).map(|known| known.service);
    let of_it = |known: &ProtocolInfo| match (known.schema.zeek_service(), transport) {
        (Some(service), L4Proto::Tcp) => service.tcp,
        (Some(service), _) => service.udp,
        (None, _) => known.schema.zeek_log(),
    };
    read.map(of_it).or_else(named).unwrap_or(protocol)
}

impl PayloadMode {
    /// How many bytes of each packet's payload are needed.
    pub(crate) fn bytes(self) -> usize {
        match self {
            // As much as parsers may want to see before they are sure.
            PayloadMode::Recognise => 256,
            _ => usize::MAX,
        }
    }

    /// How much of the memory those who read may take, in percent.
    pub(crate) fn share(self) -> u8 {
        match self {
            PayloadMode::Recognise => 10,
            _ => 50,
        }
    }

    /// Those who read.
    pub(crate) fn protocols(self) -> Protocols<AppRecord, Registry> {
        let any = Recognition::by_bytes;
        let (found, messages) = match self {
            PayloadMode::Recognise => (Selection::ALL, MessageOptions::ALL),
            PayloadMode::Messages(options) => (Selection::ALL, options),
            PayloadMode::Raw | PayloadMode::Digest => (Selection::NONE, MessageOptions::ALL),
        };
        let options = ParserOptions::default()
            .transactions(messages.transactions)
            .files(messages.files)
            .file_bytes(messages.file_bytes);
        let protocols =
            Protocols::with_set(Registry::new(found, &options).reading(messages.parsed));
        match self {
            PayloadMode::Recognise => protocols.recognise_only(),
            PayloadMode::Messages(_) => protocols,
            PayloadMode::Raw => protocols
                .stream("raw", Raw::default(), any(), AppRecord::Raw)
                .datagram("raw", Raw::default(), any(), AppRecord::Raw),
            PayloadMode::Digest => protocols.stream("raw", Digest::default(), any(), |digests| {
                AppRecord::Digest(Box::new(digests))
            }),
        }
    }
}
