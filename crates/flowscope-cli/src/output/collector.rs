//! A collector of messages, of IPFIX or Syslog, over the network.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
use std::path::Path;
use std::time::{Duration, Instant};

use flowscope_ipfix::messages;

use super::syslog::{Facility, Syslog, lines};
use crate::say;

/// How messages go to a collector.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Transport {
    Udp,
    Tcp,
}

/// What messages are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Protocol {
    /// Those of the format are sent as they are.
    Ipfix,
    /// Each line of the format is one.
    Syslog {
        facility: Facility,
        /// What the lines are.
        id: &'static str,
    },
}

/// A collector as it is named on the command line: `udp://HOST:PORT`, `syslog://HOST:PORT`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CollectorName<'a> {
    pub(super) transport: Transport,
    /// What it is sent.
    protocol: Protocol,
    /// Host and port.
    host: &'a str,
    /// All of it.
    name: &'a str,
}

impl<'a> CollectorName<'a> {
    /// The collector of this name, unless it is that of a file.
    pub(crate) fn of(path: &'a Path) -> Option<Self> {
        let name = path.to_str()?;
        let (scheme, host) = name.split_once("://")?;
        let syslog = Protocol::Syslog { facility: Facility::default(), id: "" };
        let (transport, protocol) = match scheme {
            "udp" => (Transport::Udp, Protocol::Ipfix),
            "tcp" => (Transport::Tcp, Protocol::Ipfix),
            // RFC 5426.
            "syslog" => (Transport::Udp, syslog),
            // RFC 6587.
            "syslog+tcp" => (Transport::Tcp, syslog),
            _ => return None,
        };
        Some(CollectorName { transport, protocol, host, name })
    }

    /// What it is sent: for Syslog, lines of a kind that has to be given.
    pub(crate) fn protocol(self) -> Protocol {
        self.protocol
    }

    /// The same collector, which is sent this.
    pub(crate) fn with_protocol(self, protocol: Protocol) -> Self {
        CollectorName { protocol, ..self }
    }

    pub(super) fn name(self) -> &'a str {
        self.name
    }

    /// The port, if it is connected to over TCP. Without one, no connection is made.
    #[cfg(all(feature = "live", target_os = "linux"))]
    pub(super) fn tcp_port(self) -> Option<u16> {
        let (_, port) = self.host.rsplit_once(':')?;
        if self.transport == Transport::Tcp { port.parse().ok() } else { None }
    }
}

/// Sends messages, and counts those that could not be sent.
pub(crate) struct Collector {
    transport: Transport,
    /// `None` if what is sent are messages already, of IPFIX.
    syslog: Option<Syslog>,
    name: String,
    addresses: Vec<SocketAddr>,
    /// `None` while there is no connection.
    socket: Option<Socket>,
    /// How long one call may wait, however many messages it has.
    patience: Duration,
    /// When a new connection is tried.
    retry: Instant,
    seen: u64,
    lost: u64,
    /// The first error.
    error: Option<io::Error>,
}

enum Socket {
    Udp(UdpSocket),
    Tcp(TcpStream),
}

/// What reads a file can wait for a collector.
const PATIENCE: Duration = Duration::from_secs(30);

/// What captures cannot: the ring fills meanwhile.
#[cfg(all(feature = "live", target_os = "linux"))]
const HURRY: Duration = Duration::from_secs(1);

/// Between attempts to connect again.
const RETRY: Duration = Duration::from_secs(10);

impl Collector {
    /// Looks the host up and connects.
    pub(super) fn connect(collector: CollectorName<'_>) -> io::Result<Self> {
        let addresses: Vec<_> = collector.host.to_socket_addrs()?.collect();
        let syslog = match collector.protocol {
            Protocol::Ipfix => None,
            Protocol::Syslog { facility, id } => {
                Some(Syslog::new(facility, id, collector.transport == Transport::Tcp))
            }
        };
        let mut collector = Collector {
            transport: collector.transport,
            syslog,
            name: collector.name.to_owned(),
            addresses,
            socket: None,
            patience: PATIENCE,
            retry: Instant::now(),
            seen: 0,
            lost: 0,
            error: None,
        };
        collector.socket = Some(collector.open()?);
        Ok(collector)
    }

    /// Waits only as long as a capture can.
    #[cfg(all(feature = "live", target_os = "linux"))]
    pub(super) fn hurry(&mut self) {
        self.patience = HURRY;
    }

    /// Sends messages, or lines as messages. What cannot be sent in time is counted, and the first error printed.
    pub(super) fn send(&mut self, text: &[u8]) {
        let deadline = Instant::now() + self.patience;
        if let Some(mut syslog) = self.syslog.take() {
            for line in lines(text) {
                self.send_message(syslog.message(line), deadline);
            }
            self.syslog = Some(syslog);
        } else {
            messages(text).for_each(|message| self.send_message(message, deadline));
        }
    }

    fn send_message(&mut self, message: &[u8], deadline: Instant) {
        self.seen += 1;
        let sent = match &mut self.socket {
            None => {
                self.lost += 1;
                return;
            }
            Some(Socket::Udp(socket)) => match send(socket, message, deadline) {
                // The answer to a message before: this one was not sent.
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                    let sent = send(socket, message, deadline);
                    self.lose(error);
                    sent
                }
                sent => sent,
            },
            Some(Socket::Tcp(stream)) => write(stream, message, deadline),
        };
        if let Err(error) = sent {
            self.lose(error);
            if self.transport == Transport::Tcp {
                self.socket = None;
                self.retry = Instant::now() + RETRY;
            }
        }
    }

    /// Connects again if there is no connection and it is time to. True if that began a new session.
    pub(super) fn reconnect(&mut self) -> bool {
        if self.socket.is_some() || Instant::now() < self.retry {
            return false;
        }
        self.socket = self.open().ok();
        self.retry = Instant::now() + RETRY;
        self.socket.is_some()
    }

    /// Ends the session. An error if anything was not sent.
    pub(super) fn complete(mut self) -> io::Result<()> {
        let ended = match &mut self.socket {
            Some(Socket::Udp(socket)) => {
                socket.take_error().and_then(|error| error.map_or(Ok(()), Err))
            }
            Some(Socket::Tcp(stream)) => end(stream),
            None => Ok(()),
        };
        if let Err(error) = ended {
            self.lose(error);
        }
        let Collector { seen, lost, error, .. } = self;
        match error {
            Some(error) => {
                Err(io::Error::other(format!("{lost} of {seen} messages were not sent: {error}")))
            }
            None => Ok(()),
        }
    }

    fn lose(&mut self, error: io::Error) {
        self.lost = (self.lost + 1).min(self.seen);
        if self.error.is_none() {
            say(&format!("{}: cannot send: {error}", self.name));
            self.error = Some(error);
        }
    }

    fn open(&self) -> io::Result<Socket> {
        let mut failed = io::Error::new(ErrorKind::NotFound, "the host has no address");
        for address in &self.addresses {
            let patience = self.patience / self.addresses.len() as u32;
            let opened = match self.transport {
                Transport::Udp => udp(*address).map(Socket::Udp),
                Transport::Tcp => tcp(*address, patience).map(Socket::Tcp),
            };
            match opened {
                Ok(socket) => return Ok(socket),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }
}

fn udp(to: SocketAddr) -> io::Result<UdpSocket> {
    let any = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any)?;
    socket.connect(to)?;
    Ok(socket)
}

fn tcp(to: SocketAddr, patience: Duration) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&to, patience)?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Sends a datagram by then.
fn send(socket: &UdpSocket, message: &[u8], deadline: Instant) -> io::Result<()> {
    socket.set_write_timeout(Some(rest(deadline)?))?;
    match socket.send(message) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Err(ErrorKind::TimedOut.into()),
        sent => sent.map(drop),
    }
}

/// Writes all of it by then.
fn write(stream: &mut TcpStream, mut bytes: &[u8], deadline: Instant) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.set_write_timeout(Some(rest(deadline)?))?;
        match stream.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                return Err(ErrorKind::TimedOut.into());
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The time that is left: more than none.
fn rest(deadline: Instant) -> io::Result<Duration> {
    let rest = deadline.saturating_duration_since(Instant::now());
    if rest.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(rest) }
}

/// Ends the stream, and waits for a moment whether it was reset.
fn end(stream: &mut TcpStream) -> io::Result<()> {
    stream.shutdown(Shutdown::Write)?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    match stream.read(&mut [0]) {
        Err(error) if error.kind() == ErrorKind::ConnectionReset => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// Messages of this length, without records.
    fn text(count: usize, len: u16) -> Vec<u8> {
        let mut message = vec![0; len.into()];
        message[..2].copy_from_slice(&10_u16.to_be_bytes());
        message[2..4].copy_from_slice(&len.to_be_bytes());
        message.repeat(count)
    }

    fn connect(name: &str, patience: Duration) -> Collector {
        let name = CollectorName::of(Path::new(name)).unwrap();
        Collector { patience, ..Collector::connect(name).unwrap() }
    }

    /// It takes each message in time, but not all of them.
    #[test]
    fn a_slow_collector_is_waited_for_once() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let name = format!("tcp://{}", listener.local_addr().unwrap());
        let reader = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut buffer = vec![0; 16 << 10];
            // About 8 MB in a second, with pauses of 0.2 s where buffers of the kernel are full.
            while stream.read(&mut buffer).is_ok_and(|read| read > 0) {
                thread::sleep(Duration::from_millis(2));
            }
        });
        let mut collector = connect(&name, Duration::from_millis(500));
        let begun = Instant::now();
        collector.send(&text(600, u16::MAX));
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(3), "{took:?}");
        assert_eq!(collector.seen, 600);
        assert!((1..600).contains(&collector.lost), "{}", collector.lost);
        let error = collector.complete().unwrap_err().to_string();
        assert!(error.ends_with("timed out"), "{error}");
        reader.join().unwrap();
    }

    #[test]
    fn no_datagram_is_sent_behind_the_deadline() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let name = format!("udp://{}", socket.local_addr().unwrap());
        let mut collector = connect(&name, Duration::ZERO);
        collector.send(&text(3, 20));
        assert_eq!((collector.seen, collector.lost), (3, 3));
        collector.patience = PATIENCE;
        collector.send(&text(1, 40));
        assert_eq!((collector.seen, collector.lost), (4, 3));
        assert_eq!(socket.recv(&mut [0; 64]).unwrap(), 40, "the first that comes");
    }

    #[test]
    fn a_line_that_no_datagram_holds_is_counted() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let name = format!("syslog://{}", socket.local_addr().unwrap());
        let mut collector = connect(&name, PATIENCE);
        let long = "x".repeat(70_000);
        collector.send(format!("first\n{long}\nlast\n").as_bytes());
        assert_eq!((collector.seen, collector.lost), (3, 1));
        let mut buffer = [0; 1024];
        for line in ["first", "last"] {
            let len = socket.recv(&mut buffer).unwrap();
            assert!(buffer[..len].ends_with(format!(" {line}").as_bytes()));
        }
        assert!(collector.complete().is_err());
    }

    #[test]
    fn collectors_are_named_by_scheme_host_and_port() {
        let check = |name: &str, expected: Option<(Transport, &str)>| {
            let named = CollectorName::of(Path::new(name));
            assert_eq!(named.map(|named| (named.transport, named.host)), expected, "{name}");
        };
        check("udp://192.0.2.7:4739", Some((Transport::Udp, "192.0.2.7:4739")));
        check("tcp://[2001:db8::1]:4739", Some((Transport::Tcp, "[2001:db8::1]:4739")));
        check("syslog://192.0.2.7:514", Some((Transport::Udp, "192.0.2.7:514")));
        check("syslog+tcp://[2001:db8::1]:601", Some((Transport::Tcp, "[2001:db8::1]:601")));
        check("http://192.0.2.7:80", None);
        check("flows.ipfix", None);
        check("-", None);
        check("udp:/x", None);
    }

    #[cfg(all(feature = "live", target_os = "linux"))]
    #[test]
    fn collectors_over_tcp_have_ports() {
        let port = |name: &str| CollectorName::of(Path::new(name)).unwrap().tcp_port();
        assert_eq!(port("tcp://[2001:db8::1]:4739"), Some(4739));
        assert_eq!(port("tcp://collector.test:65536"), None);
        assert_eq!(port("tcp://collector.test"), None);
        assert_eq!(port("udp://192.0.2.7:4739"), None);
    }
}
