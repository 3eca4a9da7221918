//! The registry of protocols: everything that lists protocols is derived from it.
//!
//! [`Registry`] is a [`ProtocolSet`]: with it, [`Protocols`] finds the protocol of each flow and calls
//! its parser by its type. [`AppRecord`] is a record of any of them; [`all`] describes them, and [`for_each`] hands
//! their types to a [`ProtocolVisitor`].
//!
//! ```
//! use flowscope::driver::{Driver, SessionEvent};
//! use flowscope::extract::FiveTuple;
//! use flowscope::protocols::{self, AppRecord};
//! # use flowscope::core::PacketSource;
//! # use flowscope::pcap::CaptureReader;
//! # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/http-keep-alive.pcap");
//! # let mut capture = CaptureReader::open(path)?;
//!
//! let mut driver = Driver::new(FiveTuple::bidirectional(), protocols::registered::<AppRecord>());
//! # let mut records = 0;
//! # while capture.next_batch(&mut |packets| driver.handle_batch(packets))? > 0 {
//! while let Some(event) = driver.poll_event() {
//!     if let SessionEvent::Application { flow, message, .. } = event {
//!         println!("{} {}", flow.key, message.protocol());
//! #       records += 1;
//!     }
//! }
//! # }
//! # assert!(records > 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A program's own protocols are added to the [`Protocols`] that [`registered`] returns.

use flowscope_core::{
    Announcer, Datagram, Expectation, FlowSide, ParserStatus, Probe, Remainder, StreamChunk,
};
#[cfg(feature = "names")]
use flowscope_driver::NamedEntry;
use flowscope_driver::{ProtocolSet, Protocols, SetEntry};
use flowscope_record::{AnySchema, ParserOptions, Ports, Protocol, Record, Visitor};
use flowscope_session::StreamEnd;

use entry::{Entry, Parser};

#[cfg(feature = "keylog")]
mod decrypting;
mod entry;
#[cfg(feature = "names")]
mod names;

#[cfg(feature = "keylog")]
pub use decrypting::decrypting;
#[cfg(feature = "names")]
pub use names::{NamedProtocol, named};

/// The protocols, in the order in which they are asked about a flow. A line has the feature, the module of
/// this crate, and the type that implements [`Protocol`]. Protocols of one crate share its feature.
macro_rules! for_each_protocol {
    ($callback:ident) => {
        $callback! {
            "http" http Http flowscope_http,
            "http2" http2 Http2 flowscope_http2,
            "websocket" websocket Websocket flowscope_websocket,
            "tls" tls Tls flowscope_tls,
            "tls" dtls Dtls flowscope_tls,
            "dns" dns Dns flowscope_dns,
            "dns" mdns Mdns flowscope_dns,
            "dns" llmnr Llmnr flowscope_dns,
            "dns" nbns Nbns flowscope_dns,
            "quic" quic Quic flowscope_quic,
            "ssh" ssh Ssh flowscope_ssh,
            "smtp" smtp Smtp flowscope_smtp,
            "dhcp" dhcp Dhcp flowscope_dhcp,
            "dhcp" dhcpv6 Dhcpv6 flowscope_dhcp,
            "ntp" ntp Ntp flowscope_ntp,
            "postgresql" postgresql Postgresql flowscope_postgresql,
            "mysql" mysql Mysql flowscope_mysql,
            "ftp" ftp Ftp flowscope_ftp,
            "ftp" ftp_data FtpData flowscope_ftp,
            "pop3" pop3 Pop3 flowscope_pop3,
            "imap" imap Imap flowscope_imap,
            "proxy" socks Socks flowscope_proxy,
            "proxy" proxy Proxy flowscope_proxy,
            "sip" sip Sip flowscope_sip,
            "mqtt" mqtt Mqtt flowscope_mqtt,
            "redis" redis Redis flowscope_redis,
            "snmp" snmp Snmp flowscope_snmp,
            "radius" radius Radius flowscope_radius,
            "rdp" rdp Rdp flowscope_rdp,
            "ldap" ldap Ldap flowscope_ldap,
            "krb5" krb5 Krb5 flowscope_krb5,
            "modbus" modbus Modbus flowscope_modbus,
            "dnp3" dnp3 Dnp3 flowscope_dnp3,
            "smb" smb Smb flowscope_smb,
        }
    };
}
pub(crate) use for_each_protocol;

macro_rules! registry {
    ($($feature:literal $module:ident $protocol:ident $krate:ident,)*) => {
        /// A record of any protocol.
        #[derive(Clone, Debug)]
        #[non_exhaustive]
        pub enum AppRecord {
            $(
                #[cfg(feature = $feature)]
                #[doc = concat!("A record of `", stringify!($module), "`.")]
                $protocol(Box<<$krate::$protocol as Protocol>::Record>),
            )*
        }

        impl AppRecord {
            /// The name of the record's protocol.
            #[must_use]
            pub fn protocol(&self) -> &'static str {
                match *self {
                    $(
                        #[cfg(feature = $feature)]
                        AppRecord::$protocol(_) => <$krate::$protocol as Protocol>::NAME,
                    )*
                }
            }

            /// Whether the record's protocol is one of these.
            #[must_use]
            pub fn is_of(&self, _selection: Selection) -> bool {
                match *self {
                    $(
                        #[cfg(feature = $feature)]
                        AppRecord::$protocol(_) => _selection.contains(Place::$protocol as usize),
                    )*
                }
            }
        }

        impl Record for AppRecord {
            fn visit<V: Visitor>(&self, _visitor: V) -> V::Output {
                match *self {
                    $(
                        #[cfg(feature = $feature)]
                        AppRecord::$protocol(ref record) => {
                            _visitor.record(<$krate::$protocol as Protocol>::SCHEMA, &**record)
                        }
                    )*
                }
            }
        }

        /// A parser of any protocol.
        #[non_exhaustive]
        pub enum AppParser {
            $(
                #[cfg(feature = $feature)]
                #[doc = concat!("A parser of `", stringify!($module), "`.")]
                $protocol(Parser<$krate::$protocol>),
            )*
            /// None: flows of this entry's protocol are recognised and [not read](Registry::reading).
            Unread(usize),
        }

        /// The parsers of the selected protocols.
        pub struct Registry {
            selection: Selection,
            read: Selection,
            $(
                #[cfg(feature = $feature)]
                $module: Entry<$krate::$protocol>,
            )*
        }

        /// The place of each protocol in the registry.
        #[derive(Clone, Copy)]
        enum Place {
            $(
                #[cfg(feature = $feature)]
                $protocol,
            )*
        }

        const PLACES: &[Place] = &[$(#[cfg(feature = $feature)] Place::$protocol),*];

        const ALL: &[ProtocolInfo] =
            &[$(#[cfg(feature = $feature)] ProtocolInfo::of::<$krate::$protocol>()),*];

        /// Shows the type of each protocol to `visitor`, in order.
        pub fn for_each(_visitor: &mut impl ProtocolVisitor) {
            $(
                #[cfg(feature = $feature)]
                _visitor.protocol::<$krate::$protocol>();
            )*
        }

        impl Registry {
            /// The parsers of these protocols.
            #[must_use]
            pub fn new(selection: Selection, _options: &ParserOptions) -> Self {
                Registry {
                    selection,
                    read: Selection::ALL,
                    $(
                        #[cfg(feature = $feature)]
                        $module: Entry::new(_options),
                    )*
                }
            }

            /// Reads these protocols alone: flows of the others are recognised as before, and nothing of them is
            /// parsed. Default: all that are selected.
            ///
            /// What begins within another protocol (STARTTLS, `CONNECT`) is found only where that one is read:
            /// [`Selection::with_carriers`].
            #[must_use]
            pub fn reading(mut self, read: Selection) -> Self {
                self.read = read;
                self
            }
        }

        impl<M: From<AppRecord>> ProtocolSet<M> for Registry {
            type Parser = AppParser;

            fn recognised(&self) -> Vec<SetEntry> {
                let mut entries = Vec::new();
                $(
                    #[cfg(feature = $feature)]
                    if self.selection.contains(Place::$protocol as usize) {
                        entries.extend(self.$module.recognised(Place::$protocol as usize));
                    }
                )*
                entries
            }

            fn new_parser(&self, id: usize) -> AppParser {
                if !self.read.contains(entry::place_of(id)) {
                    return AppParser::Unread(id);
                }
                match PLACES[entry::place_of(id)] {
                    $(
                        #[cfg(feature = $feature)]
                        Place::$protocol => AppParser::$protocol(self.$module.new_parser(id)),
                    )*
                }
            }

            fn probe_start(&self, id: usize, _side: FlowSide, _start: &[u8]) -> Probe {
                match PLACES[entry::place_of(id)] {
                    $(
                        #[cfg(feature = $feature)]
                        Place::$protocol => {
                            Entry::<$krate::$protocol>::probe_start(id, _side, _start)
                        }
                    )*
                }
            }

            fn probe(&self, parser: &AppParser, _side: FlowSide, _start: &[u8]) -> Probe {
                match *parser {
                    $(
                        #[cfg(feature = $feature)]
                        AppParser::$protocol(ref parser) => parser.probe(_side, _start),
                    )*
                    AppParser::Unread(id) => <Self as ProtocolSet<M>>::probe_start(self, id, _side, _start),
                }
            }

            #[inline]
            fn feed(
                &mut self,
                parser: &mut AppParser,
                _chunk: StreamChunk<'_>,
                _out: &mut Vec<M>,
            ) -> ParserStatus {
                match *parser {
                    $(
                        #[cfg(feature = $feature)]
                        AppParser::$protocol(ref mut parser) => self.$module.run(
                            |records| parser.feed(_chunk, records),
                            |record| AppRecord::$protocol(Box::new(record)).into(),
                            _out,
                        ),
                    )*
                    AppParser::Unread(_) => ParserStatus::Done,
                }
            }

            fn gap(
                &mut self,
                parser: &mut AppParser,
                _side: FlowSide,
                _len: u64,
                _out: &mut Vec<M>,
            ) -> ParserStatus {
                match *parser {
                    $(
                        #[cfg(feature = $feature)]
                        AppParser::$protocol(ref mut parser) => self.$module.run(
                            |records| parser.gap(_side, _len, records),
                            |record| AppRecord::$protocol(Box::new(record)).into(),
                            _out,
                        ),
                    )*
                    AppParser::Unread(_) => ParserStatus::Done,
                }
            }

            fn datagram(
                &mut self,
                parser: &mut AppParser,
                _datagram: Datagram<'_>,
                _out: &mut Vec<M>,
            ) -> ParserStatus {
                match *parser {
                    $(
                        #[cfg(feature = $feature)]
                        AppParser::$protocol(ref mut parser) => self.$module.run(
                            |records| parser.datagram(_datagram, records),
                            |record| AppRecord::$protocol(Box::new(record)).into(),
                            _out,
                        ),
                    )*
                    AppParser::Unread(_) => ParserStatus::Done,
                }
            }

            fn take_remainder(
                &mut self,
                parser: &mut AppParser,
                _side: FlowSide,
            ) -> Option<Remainder> {
                match *parser {
                    $(
                        #[cfg(feature = $feature)]
                        AppParser::$protocol(ref mut parser) => parser.take_remainder(_side),
                    )*
                    AppParser::Unread(_) => None,
                }
            }

            fn take_expectation(&mut self, parser: &mut AppParser) -> Option<Expectation> {
                match *parser {
                    $(
                        #[cfg(feature = $feature)]
                        AppParser::$protocol(ref mut parser) => parser.take_expectation(),
                    )*
                    AppParser::Unread(_) => None,
                }
            }

            fn introduce(&mut self, parser: &mut AppParser, _by: u64, _about: &[u8]) {
                match *parser {
                    $(
                        #[cfg(feature = $feature)]
                        AppParser::$protocol(ref mut parser) => parser.introduce(_by, _about),
                    )*
                    AppParser::Unread(_) => {}
                }
            }

            fn announcers(&self) -> Vec<Announcer> {
                let selected = self.selection.0 & self.read.0;
                let all = ALL.iter().enumerate().filter(|(at, _)| selected & 1 << at != 0);
                all.filter_map(|(_, protocol)| protocol.announcer).collect()
            }

            fn notify(&mut self, parser: &mut AppParser, _end: StreamEnd, _out: &mut Vec<M>) {
                match *parser {
                    $(
                        #[cfg(feature = $feature)]
                        AppParser::$protocol(ref mut parser) => self.$module.run(
                            |records| parser.notify(_end, records),
                            |record| AppRecord::$protocol(Box::new(record)).into(),
                            _out,
                        ),
                    )*
                    AppParser::Unread(_) => {},
                }
            }

            fn end_status(&self, parser: &AppParser) -> ParserStatus {
                match *parser {
                    $(
                        #[cfg(feature = $feature)]
                        AppParser::$protocol(ref parser) => parser.end_status(),
                    )*
                    AppParser::Unread(_) => ParserStatus::Done,
                }
            }

            fn heap_bytes(&self, parser: &AppParser) -> usize {
                match *parser {
                    $(
                        #[cfg(feature = $feature)]
                        AppParser::$protocol(ref parser) => parser.heap_bytes(),
                    )*
                    AppParser::Unread(_) => 0,
                }
            }

            /// None unless all protocols are selected.
            #[cfg(feature = "names")]
            fn named(&self) -> Vec<NamedEntry> {
                if self.selection == Selection::ALL { names::entries() } else { Vec::new() }
            }

            #[cfg(feature = "names")]
            fn name_begins_with(&self, id: usize, first: u8) -> bool {
                named()[id].begins_with(first)
            }

            #[cfg(feature = "names")]
            fn probe_name(&self, id: usize, start: &[u8], len: usize, on_port: bool) -> Probe {
                named()[id].probe(start, len, on_port)
            }
        }
    };
}

for_each_protocol!(registry);

/// Takes the type of each protocol.
pub trait ProtocolVisitor {
    /// Takes one.
    fn protocol<P: Protocol>(&mut self);
}

/// What is known of a protocol, without its types.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct ProtocolInfo {
    /// [`Protocol::NAME`].
    pub name: &'static str,
    /// [`Protocol::RECORDS`].
    pub records: &'static str,
    /// [`Protocol::PORTS`].
    pub ports: Ports,
    /// [`Protocol::CARRIES`].
    pub carries: bool,
    /// [`Protocol::ANNOUNCER`].
    pub announcer: Option<Announcer>,
    /// Whether flows are found by their first bytes too: streams, datagrams.
    pub by_bytes: [bool; 2],
    /// Names, columns and documentation of its records.
    pub schema: &'static dyn AnySchema,
}

impl ProtocolInfo {
    const fn of<P: Protocol>() -> Self {
        ProtocolInfo {
            name: P::NAME,
            records: P::RECORDS,
            ports: P::PORTS,
            carries: P::CARRIES,
            announcer: P::ANNOUNCER,
            by_bytes: [!P::STREAM_FIRST_BYTES.is_empty(), !P::FIRST_BYTES.is_empty()],
            schema: P::SCHEMA,
        }
    }
}

/// All protocols that this build knows, in the order in which they are asked about a flow.
#[must_use]
pub fn all() -> &'static [ProtocolInfo] {
    ALL
}

/// All protocols, with parsers that have the default options; others may be added.
#[must_use]
pub fn registered<M: From<AppRecord>>() -> Protocols<M, Registry> {
    Protocols::with_set(Registry::new(Selection::ALL, &ParserOptions::default()))
}

/// The ports that servers of any protocol listen on, in order.
pub fn listening_ports() -> impl Iterator<Item = u16> {
    all().iter().flat_map(|protocol| [protocol.ports.tcp, protocol.ports.udp]).flatten().copied()
}

/// Some of the protocols.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Selection(u64);

impl Selection {
    /// All of them.
    pub const ALL: Selection = Selection(u64::MAX);

    /// None of them.
    pub const NONE: Selection = Selection(0);

    /// The selection and the protocol of this name; `None` if there is no such protocol.
    #[must_use]
    pub fn with(self, name: &str) -> Option<Self> {
        let at = all().iter().position(|protocol| protocol.name == name)?;
        Some(Selection(self.0 | 1 << at))
    }

    /// The protocols of these names.
    ///
    /// # Errors
    ///
    /// The first name that is of no protocol.
    pub fn of_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, &'a str> {
        names.into_iter().try_fold(Selection::NONE, |all, name| all.with(name).ok_or(name))
    }

    /// The selected protocols, and those within whose connections they may begin: [`ProtocolInfo::carries`].
    ///
    /// For protocols of datagrams these are none, and for those of both transports all but HTTP with its `CONNECT`: who asks for
    /// names does not read all of the web.
    #[must_use]
    pub fn with_carriers(self) -> Self {
        let is_of_streams = |it: &ProtocolInfo| it.ports.udp.is_empty() || !it.ports.tcp.is_empty();
        let of_streams = || self.protocols().filter(|it| is_of_streams(it));
        let has_any = of_streams().next().is_some();
        let has_web = of_streams().any(|it| it.ports.udp.is_empty());
        let is_needed = |it: &ProtocolInfo| it.carries && has_any && (has_web || it.name != "http");
        let carriers = all().iter().enumerate().filter(|(_, protocol)| is_needed(protocol));
        Selection(carriers.fold(self.0, |all, (at, _)| all | 1 << at))
    }

    /// The selected protocols, in order.
    pub fn protocols(self) -> impl Iterator<Item = &'static ProtocolInfo> {
        all().iter().enumerate().filter(move |(at, _)| self.contains(*at)).map(|(_, info)| info)
    }

    fn contains(self, at: usize) -> bool {
        self.0 & 1 << at != 0
    }
}

/// All of them.
impl Default for Selection {
    fn default() -> Self {
        Selection::ALL
    }
}
