use std::io;
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};

use flowscope::output::{CaptureStats, FlowReader, FlowRecord, RecordHeader};
use flowscope::pcap::ReadError;
use flowscope::protocols::AppRecord;

use crate::args::BrokerLogin;

/// Where records go that are not written as text, in the order in which text would have them.
///
/// An error ends the run, as one of the output.
pub trait RecordSink {
    /// Takes the record of a flow.
    ///
    /// # Errors
    ///
    /// What writing gives.
    fn flow(&mut self, record: &FlowRecord) -> io::Result<()>;

    /// Takes a record of an application protocol, and the header of its flow.
    ///
    /// # Errors
    ///
    /// What writing gives.
    fn session(&mut self, header: &RecordHeader, record: &AppRecord) -> io::Result<()>;

    /// Takes an error of an input, behind the packets that were read of it. Returns whether it will be reported; if
    /// not, it is printed on standard error.
    fn input_error(&mut self, error: &ReadError) -> bool {
        let _ = error;
        false
    }

    /// Passes records on that were taken so far. It is called at least once for every 16384 packets, whether
    /// there were records or not.
    ///
    /// # Errors
    ///
    /// Result of writing, or that no more records are wanted.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Completes the output: there are no more records. It is not called if no input was a capture.
    ///
    /// # Errors
    ///
    /// What writing gives.
    fn finish(&mut self, stats: &CaptureStats) -> io::Result<()>;
}

/// Makes the sink that writes to a directory, which may not exist yet.
pub type OpenSink<'a> = &'a dyn Fn(&Path) -> io::Result<Box<dyn RecordSink>>;

/// Flow records of a file, or of a directory of files, that are no text.
pub trait FlowSource {
    /// The next record; `None` at the end.
    ///
    /// # Errors
    ///
    /// Of the kind [`io::ErrorKind::InvalidData`] if a row is no flow record, of another if a file cannot be read. What is behind
    /// it is read next.
    fn next(&mut self, reader: &FlowReader) -> Option<io::Result<FlowRecord>>;

    /// How many records of other kinds were passed over.
    fn others(&self) -> u64;
}

/// Opens a file or a directory whose records are no text.
pub type OpenFlows<'a> = &'a dyn Fn(&Path) -> io::Result<Box<dyn FlowSource>>;

/// A NATS server that records are published to, and how.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Broker {
    /// `nats://HOST:PORT`, or `tls://` if TLS is required, possibly with `USER:PASSWORD@`; several servers of a cluster have
    /// commas between them.
    pub url: String,
    /// What servers have to prove, and what they are shown.
    pub login: BrokerLogin,
    /// The TCP ports in it.
    #[cfg_attr(
        not(all(feature = "live", target_os = "linux")),
        allow(dead_code, reason = "only live captures are confined to them")
    )]
    pub(crate) ports: Vec<u16>,
    /// Name of the sensor; a part of a subject.
    pub site: String,
    /// Name of the run; `None` if no other run repeats it.
    pub run: Option<String>,
    /// Name of the stream.
    pub stream: String,
    /// Copies of the stream, if it has to be created.
    pub replicas: usize,
    /// Number of partitions.
    pub partitions: NonZeroU16,
    /// Directory of what the server does not have yet.
    pub spool: PathBuf,
    /// Most bytes in it.
    pub spool_bytes: u64,
    /// What is dropped when it is full.
    pub dropped: Dropped,
    /// Whether packets come from interfaces, and cannot wait.
    pub is_live: bool,
    /// Whether only errors are printed.
    pub is_quiet: bool,
}

/// What a full spool drops.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Dropped {
    /// The oldest batches in it.
    Oldest,
    /// Those that come.
    Newest,
}

/// Makes the sink that publishes to a server. An error of the kind [`io::ErrorKind::InvalidInput`] is one of the options.
pub type OpenBroker<'a> = &'a dyn Fn(&Broker) -> io::Result<Box<dyn RecordSink>>;

/// What a program writes, and reads, that is no text.
#[derive(Clone, Copy)]
pub(crate) enum Sinks<'a> {
    /// Nothing.
    None,
    /// Files in a directory.
    Directory(OpenSink<'a>, OpenFlows<'a>),
    /// Messages to a server.
    Broker(OpenBroker<'a>),
}

impl Broker {
    /// The servers without passwords.
    #[must_use]
    pub fn name(&self) -> String {
        without_passwords(&self.url)
    }
}

fn without_passwords(url: &str) -> String {
    let server = |url: &str| match (url.rsplit_once('@'), url.split_once("://")) {
        (Some((_, host)), Some((scheme, _))) => format!("{scheme}://{host}"),
        (Some((_, host)), None) => host.to_owned(),
        (None, _) => url.to_owned(),
    };
    url.split(',').map(server).collect::<Vec<_>>().join(",")
}

/// The TCP ports of servers, `None` if one of them is no server.
pub(crate) fn broker_ports(url: &str) -> Option<Vec<u16>> {
    url.split(',').map(broker_port).collect()
}

/// The port of a server; 4222 unless it is given.
fn broker_port(url: &str) -> Option<u16> {
    let rest = url.strip_prefix("nats://").or_else(|| url.strip_prefix("tls://"))?;
    let place = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
    let (host, port) = match place.rsplit_once(':') {
        // The last colon of an address of IPv6 is within brackets.
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
        _ => (place, 4222),
    };
    let is_address = host.starts_with('[') && host.ends_with(']') && host.len() > 2;
    let is_name = !host.is_empty() && !host.contains([':', '[', ']', '/', '?', '#', ' ']);
    (port > 0 && (is_address || is_name)).then_some(port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_printed() {
        let url = "nats://me:secret@a:1,nats://b,tls://me:p@ss@[::1]:2";
        assert_eq!(without_passwords(url), "nats://a:1,nats://b,tls://[::1]:2");
    }

    #[test]
    fn servers_have_ports() {
        let check = |url: &str, expected: Option<&[u16]>| {
            assert_eq!(broker_ports(url).as_deref(), expected, "{url}");
        };
        check("nats://broker.test:4223", Some(&[4223]));
        check("nats://broker.test", Some(&[4222]));
        check("nats://me:secret@[2001:db8::1]:5", Some(&[5]));
        check("nats://[2001:db8::1]", Some(&[4222]));
        check("nats://a:1,nats://b:2", Some(&[1, 2]));
        check("tls://a,nats://b:2", Some(&[4222, 2]));
        check("nats://a:1,b:2", None);
        check("nats://", None);
        check("nats://a:0", None);
        check("nats://a:65536", None);
        check("nats://a:1/path", None);
        check("nats://2001:db8::1", None);
        check("http://a", None);
        check("nats://a,", None);
    }
}
