//! Answers scrapes of Prometheus, one after the other, on a thread of its own.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::metrics::Published;
use crate::error::Failure;

/// Longest that one client is served, in each direction.
const PATIENCE: Duration = Duration::from_secs(2);

/// Longest request.
const REQUEST: usize = 8 << 10;

/// A socket that listens for clients, who are not answered yet.
pub(super) struct Listener {
    /// The address, with the port where 0 was asked for.
    pub(super) address: SocketAddr,
    socket: TcpListener,
}

impl Listener {
    /// Listens at this address.
    pub(super) fn bind(address: SocketAddr) -> Result<Self, Failure> {
        let bound = TcpListener::bind(address).and_then(|socket| {
            let address = socket.local_addr()?;
            Ok(Listener { address, socket })
        });
        bound.map_err(|error| failed(address, &error))
    }

    /// Answers clients from now on, with the metrics of that moment.
    pub(super) fn serve(self, published: Published) -> Result<(), Failure> {
        let Listener { address, socket } = self;
        let serve = move || {
            for client in socket.incoming() {
                match client {
                    // An error of a client concerns that client alone.
                    Ok(client) => drop(answer(client, &published)),
                    // Such as too many open files, which does not last.
                    Err(_) => thread::sleep(Duration::from_millis(100)),
                }
            }
        };
        let thread = thread::Builder::new().name("flowscope-metrics".into()).spawn(serve);
        thread.map(drop).map_err(|error| failed(address, &error))
    }
}

fn failed(address: SocketAddr, error: &io::Error) -> Failure {
    Failure::Failed(format!("--metrics {address}: {error}"))
}

fn answer(mut client: TcpStream, published: &Published) -> io::Result<()> {
    client.set_write_timeout(Some(PATIENCE))?;
    let Some(line) = request_line(&mut client)? else { return Ok(()) };
    let mut words = line.split(' ');
    let path = |target: &str| target.split('?').next().unwrap_or_default().to_owned();
    let (status, kind, body) = match (words.next(), words.next().map(path).as_deref()) {
        (Some("GET"), Some("/metrics")) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ("200 OK", kind, published.text())
        }
        (Some("GET"), Some(_)) => ("404 Not Found", "text/plain", "GET /metrics\n".to_owned()),
        _ => ("405 Method Not Allowed\r\nAllow: GET", "text/plain", "GET /metrics\n".to_owned()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    client.write_all(head.as_bytes())?;
    client.write_all(body.as_bytes())
}

/// The first line of a request, once its head is complete; `None` if it is too long or takes too long.
fn request_line(client: &mut TcpStream) -> io::Result<Option<String>> {
    let end = Instant::now() + PATIENCE;
    let mut head = Vec::new();
    while !head.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() || head.len() > REQUEST {
            return Ok(None);
        }
        client.set_read_timeout(Some(left))?;
        let mut bytes = [0; 1024];
        match client.read(&mut bytes)? {
            0 => return Ok(None),
            read => head.extend(&bytes[..read]),
        }
    }
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    Ok(Some(String::from_utf8_lossy(line).into_owned()))
}
