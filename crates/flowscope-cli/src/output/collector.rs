//! A collector of IPFIX messages, over the network.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
use std::path::Path;
use std::time::{Duration, Instant};

use flowscope_ipfix::messages;

use crate::say;

/// How messages go to a collector.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Transport {
    Udp,
    Tcp,
}

/// A collector as it is named on the command line: `udp://HOST:PORT`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CollectorName<'a> {
    pub(super) transport: Transport,
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
        let transport = match scheme {
            "udp" => Transport::Udp,
            "tcp" => Transport::Tcp,
            _ => return None,
        };
        Some(CollectorName { transport, host, name })
    }

    pub(super) fn name(self) -> &'a str {
        self.name
    }
}

/// Sends messages, and counts those that could not be sent.
pub(crate) struct Collector {
    transport: Transport,
    name: String,
    addresses: Vec<SocketAddr>,
    /// `None` while there is no connection.
    socket: Option<Socket>,
    /// How long one call may wait.
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
        let mut collector = Collector {
            transport: collector.transport,
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
    pub(super) fn hurry(&mut self) -> io::Result<()> {
        self.patience = HURRY;
        match &self.socket {
            Some(Socket::Udp(socket)) => socket.set_write_timeout(Some(HURRY)),
            Some(Socket::Tcp(stream)) => stream.set_write_timeout(Some(HURRY)),
            None => Ok(()),
        }
    }

    /// Sends messages. What cannot be sent is counted, and the first error printed.
    pub(super) fn send(&mut self, text: &[u8]) {
        for message in messages(text) {
            self.seen += 1;
            let sent = match &mut self.socket {
                None => {
                    self.lost += 1;
                    continue;
                }
                Some(Socket::Udp(socket)) => match socket.send(message) {
                    // The answer to a message before: this one was not sent.
                    Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                        let sent = socket.send(message);
                        self.lose(error);
                        sent.map(drop)
                    }
                    sent => sent.map(drop),
                },
                Some(Socket::Tcp(stream)) => write(stream, message, self.patience),
            };
            if let Err(error) = sent {
                self.lose(error);
                if self.transport == Transport::Tcp {
                    self.socket = None;
                    self.retry = Instant::now() + RETRY;
                }
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
                Transport::Udp => udp(*address, patience).map(Socket::Udp),
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

fn udp(to: SocketAddr, patience: Duration) -> io::Result<UdpSocket> {
    let any = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any)?;
    socket.connect(to)?;
    socket.set_write_timeout(Some(patience))?;
    Ok(socket)
}

fn tcp(to: SocketAddr, patience: Duration) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&to, patience)?;
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(patience))?;
    Ok(stream)
}

/// Writes all of it within about this time.
fn write(stream: &mut TcpStream, mut bytes: &[u8], patience: Duration) -> io::Result<()> {
    let begun = Instant::now();
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                return Err(ErrorKind::TimedOut.into());
            }
            Err(error) => return Err(error),
        }
        if !bytes.is_empty() && begun.elapsed() > patience {
            return Err(ErrorKind::TimedOut.into());
        }
    }
    Ok(())
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
    use super::*;

    #[test]
    fn collectors_are_named_by_scheme_host_and_port() {
        let check = |name: &str, expected: Option<(Transport, &str)>| {
            let named = CollectorName::of(Path::new(name));
            assert_eq!(named.map(|named| (named.transport, named.host)), expected, "{name}");
        };
        check("udp://192.0.2.7:4739", Some((Transport::Udp, "192.0.2.7:4739")));
        check("tcp://[2001:db8::1]:4739", Some((Transport::Tcp, "[2001:db8::1]:4739")));
        check("http://192.0.2.7:80", None);
        check("flows.ipfix", None);
        check("-", None);
        check("udp:/x", None);
    }
}
