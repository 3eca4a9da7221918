//! Lines as messages of Syslog (RFC 5424).

use std::io::Write as _;
use std::process;
use std::time::SystemTime;

use clap::ValueEnum;
use flowscope::core::Timestamp;
use flowscope::output::rfc3339;

/// Facilities (RFC 5424 §6.2.1) for the messages of a program that is no part of the system.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub(crate) enum Facility {
    User = 1,
    Daemon = 3,
    #[default]
    Local0 = 16,
    Local1 = 17,
    Local2 = 18,
    Local3 = 19,
    Local4 = 20,
    Local5 = 21,
    Local6 = 22,
    Local7 = 23,
}

/// "Informational" (RFC 5424 §6.2.1).
const SEVERITY: u8 = 6;

/// What a field of the header has that is not known (RFC 5424 §6).
const NIL: &str = "-";

/// Makes messages of lines.
pub(super) struct Syslog {
    priority: u8,
    /// Name of the host, as in the header.
    host: String,
    /// MSGID: what the lines are.
    id: &'static str,
    /// Whether each message has its length before it (RFC 6587 §3.4.1).
    is_counted: bool,
    message: Vec<u8>,
}

impl Syslog {
    /// For a stream, which needs the lengths of messages, or for datagrams. `id` is what the lines are, at most 32 printable
    /// characters.
    pub(super) fn new(facility: Facility, id: &'static str, is_stream: bool) -> Self {
        Syslog {
            priority: facility as u8 * 8 + SEVERITY,
            host: host(),
            id,
            is_counted: is_stream,
            message: Vec::new(),
        }
    }

    /// A line as a message that is sent now.
    pub(super) fn message(&mut self, line: &[u8]) -> &[u8] {
        self.message_at(SystemTime::now().into(), line)
    }

    fn message_at(&mut self, now: Timestamp, line: &[u8]) -> &[u8] {
        // At most six digits behind the second (RFC 5424 §6.2.3).
        let now = rfc3339(Timestamp::from_nanos(now.as_nanos() / 1000 * 1000));
        let header = format!(
            "<{}>1 {} {} flowscope {} {} {NIL} ",
            self.priority,
            now.as_str(),
            self.host,
            process::id(),
            self.id
        );
        self.message.clear();
        if self.is_counted {
            // Cannot fail: it is memory.
            let _ = write!(self.message, "{} ", header.len() + line.len());
        }
        self.message.extend(header.as_bytes());
        self.message.extend(line);
        &self.message
    }
}

/// The lines of a text, without their ends.
pub(super) fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

/// What this machine is called, in at most 255 printable characters (RFC 5424 §6.2.4).
fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name: String = name.trim().chars().filter(char::is_ascii_graphic).take(255).collect();
    if name.is_empty() { NIL.to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn syslog(is_stream: bool) -> Syslog {
        Syslog { host: "tap.example".into(), ..Syslog::new(Facility::Local5, "eve", is_stream) }
    }

    #[test]
    fn a_message_has_the_header_of_rfc_5424() {
        let at = Timestamp::from_nanos(1_700_000_000_123_456_789);
        let expected = format!(
            "<174>1 2023-11-14T22:13:20.123456Z tap.example flowscope {} eve - {{\"a\":1}}",
            process::id()
        );
        let line = br#"{"a":1}"#;
        assert_eq!(syslog(false).message_at(at, line), expected.as_bytes());
        let counted = format!("{} {expected}", expected.len());
        assert_eq!(syslog(true).message_at(at, line), counted.as_bytes(), "RFC 6587 §3.4.1");
    }

    #[test]
    fn a_message_is_a_line() {
        assert_eq!(lines(b"a\nbc\n").collect::<Vec<_>>(), [b"a".as_slice(), b"bc"]);
        assert_eq!(lines(b"").count(), 0);
    }

    #[test]
    fn facilities_have_the_numbers_of_the_standard() {
        let priority = |facility| Syslog::new(facility, "json", false).priority;
        assert_eq!(priority(Facility::User), 14);
        assert_eq!(priority(Facility::Daemon), 30);
        assert_eq!(priority(Facility::default()), 134);
        assert_eq!(priority(Facility::Local7), 190);
    }

    #[test]
    fn the_name_of_the_host_fits_into_a_header() {
        let host = host();
        assert!((1..=255).contains(&host.len()) && host.bytes().all(|b| b.is_ascii_graphic()));
    }
}
