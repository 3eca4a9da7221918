use std::collections::HashMap;
use std::fmt;
use std::io::{self, BufRead, Read};

use crate::secrets::{Secret, SecretLabel, SecretSource, SessionSecrets};

/// Secrets of connections, from text in the format of NSS (`SSLKEYLOGFILE`, draft-ietf-tls-keylogfile).
///
/// Each line has a label, the random of the ClientHello and a secret, the two in hexadecimal digits. Empty lines,
/// comments (`#`) and lines of labels that are not of use here are passed over. A line that is wrong is counted, and
/// the next one is read: so is any line of 512 bytes or more that is no comment. Of two secrets with the same label
/// and random the later one counts.
///
/// Memory: some 300 bytes for each connection, of which there are at most [`max_sessions`](Self::max_sessions).
///
/// ```
/// use flowscope_decrypt::{KeyLog, SecretLabel, SecretSource};
///
/// let mut log = KeyLog::new();
/// let (random, secret) = ("11".repeat(32), "22".repeat(48));
/// log.extend(format!("# comment\r\nCLIENT_RANDOM {random} {secret}\r\nEXPORTER_SECRET {random} 33").as_bytes());
/// assert_eq!((log.sessions(), log.malformed()), (1, 0));
/// let session = log.session(&[0x11; 32]).unwrap();
/// assert!(session.secret(SecretLabel::Master).is_some());
/// assert!(session.secret(SecretLabel::ClientTraffic).is_none());
/// ```
#[derive(Clone)]
pub struct KeyLog {
    sessions: HashMap<[u8; 32], SessionSecrets>,
    max_sessions: usize,
    malformed: u64,
    refused: u64,
}

impl Default for KeyLog {
    fn default() -> Self {
        KeyLog::new()
    }
}

impl KeyLog {
    /// Creates an empty log.
    #[must_use]
    pub fn new() -> Self {
        KeyLog {
            sessions: HashMap::new(),
            max_sessions: DEFAULT_MAX_SESSIONS,
            malformed: 0,
            refused: 0,
        }
    }

    /// Sets how many connections have secrets at most; those of further ones are refused. Default: 262 144.
    #[must_use]
    pub fn max_sessions(mut self, sessions: usize) -> Self {
        self.max_sessions = sessions;
        self
    }

    /// Adds the lines of a text. The last one needs no line feed, and does not go on in the next text.
    pub fn extend(&mut self, text: &[u8]) {
        text.split(|&byte| byte == b'\n').for_each(|line| self.line(line));
    }

    /// Adds all lines of `input`, as [`extend`](Self::extend) does. No more than 512 bytes of it are held.
    ///
    /// # Errors
    ///
    /// Those of `input`. The lines before are in the log then.
    pub fn read(&mut self, mut input: impl BufRead) -> io::Result<()> {
        let mut line = Vec::with_capacity(TOO_LONG);
        let mut goes_on = false;
        loop {
            line.clear();
            input.by_ref().take(TOO_LONG as u64).read_until(b'\n', &mut line)?;
            if line.is_empty() {
                return Ok(());
            }
            let is_whole = line.pop_if(|last| *last == b'\n').is_some();
            if !goes_on {
                self.line(&line);
            }
            goes_on = !is_whole;
        }
    }

    /// Number of connections that have secrets.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// Number of lines that are wrong: without three fields, not in hexadecimal digits, with a random of other than
    /// 32 bytes or a secret of other than 32 to 48, or too long.
    #[must_use]
    pub fn malformed(&self) -> u64 {
        self.malformed
    }

    /// Number of secrets that were refused because there are [too many](Self::max_sessions) connections.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Adds a line, without its line feed. Of one that is [`TOO_LONG`] the start may stand for the whole.
    fn line(&mut self, line: &[u8]) {
        let (line, is_long) = line.get(..TOO_LONG).map_or((line, false), |start| (start, true));
        let line = line.trim_ascii();
        if line.starts_with(b"#") || line.is_empty() && !is_long {
            return;
        }
        if is_long {
            self.malformed += 1;
            return;
        }
        let mut fields = line.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty());
        let (Some(label), Some(random), Some(secret), None) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            self.malformed += 1;
            return;
        };
        let Some(label) = SecretLabel::of(label) else { return };
        let (mut client_random, mut bytes) = ([0; 32], [0; 48]);
        let secret = match (unhex(random, &mut client_random), unhex(secret, &mut bytes)) {
            (Some(32), Some(len)) => bytes.get(..len).and_then(Secret::new),
            _ => None,
        };
        match secret {
            None => self.malformed += 1,
            Some(_)
                if self.sessions.len() >= self.max_sessions
                    && !self.sessions.contains_key(&client_random) =>
            {
                self.refused += 1;
            }
            Some(secret) => self.sessions.entry(client_random).or_default().insert(label, secret),
        }
    }
}

impl SecretSource for KeyLog {
    fn session(&self, client_random: &[u8; 32]) -> Option<SessionSecrets> {
        self.sessions.get(client_random).cloned()
    }
}

impl fmt::Debug for KeyLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyLog")
            .field("sessions", &self.sessions.len())
            .field("malformed", &self.malformed)
            .field("refused", &self.refused)
            .finish_non_exhaustive()
    }
}

/// The bytes that hexadecimal digits stand for, at the start of `out`, and how many there are; `None` if they are
/// something else, or more than fit.
fn unhex(digits: &[u8], out: &mut [u8]) -> Option<usize> {
    let (pairs, []) = digits.as_chunks::<2>() else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    for (at, &[high, low]) in pairs.iter().enumerate() {
        *out.get_mut(at)? = (digit(high)? << 4 | digit(low)?) as u8;
    }
    Some(pairs.len())
}

const DEFAULT_MAX_SESSIONS: usize = 1 << 18;
/// A line of so many bytes is not read. The longest one of use has 226.
const TOO_LONG: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    const RANDOM: &str = "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF";

    fn read(text: &str) -> KeyLog {
        let mut log = KeyLog::new();
        log.extend(text.as_bytes());
        log
    }

    fn random() -> [u8; 32] {
        let mut random = [0; 32];
        assert_eq!(unhex(RANDOM.as_bytes(), &mut random), Some(32));
        random
    }

    #[test]
    fn labels_of_both_versions_are_read() {
        let secret = "ab".repeat(32);
        let lines: String = [
            "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
            "SERVER_HANDSHAKE_TRAFFIC_SECRET",
            "CLIENT_TRAFFIC_SECRET_0",
            "SERVER_TRAFFIC_SECRET_0",
            "EXPORTER_SECRET",
            "CLIENT_EARLY_TRAFFIC_SECRET",
        ]
        .map(|label| format!("{label} {RANDOM} {secret}\n"))
        .concat();
        let log = read(&lines);
        assert_eq!((log.sessions(), log.malformed()), (1, 0));
        let session = log.session(&random()).expect("it is there");
        assert!(session.secret(SecretLabel::ClientHandshake).is_some());
        let traffic = session.secret(SecretLabel::ServerTraffic).expect("it is there");
        assert_eq!(traffic.as_bytes(), [0xab; 32]);
        assert!(session.secret(SecretLabel::Master).is_none());
        assert!(log.session(&[0; 32]).is_none());
    }

    #[test]
    fn lines_that_are_wrong_are_counted_and_passed_over() {
        let master = "cd".repeat(48);
        for wrong in [
            "CLIENT_RANDOM".to_owned(),
            format!("CLIENT_RANDOM {RANDOM}"),
            format!("CLIENT_RANDOM {RANDOM} {master} 00"),
            format!("CLIENT_RANDOM {} {master}", &RANDOM[2..]),
            format!("CLIENT_RANDOM {RANDOM}00 {master}"),
            format!("CLIENT_RANDOM {RANDOM} {}", &master[1..]),
            format!("CLIENT_RANDOM {RANDOM} {master}00"),
            format!("CLIENT_RANDOM {RANDOM} {}", "cd".repeat(31)),
            format!("CLIENT_RANDOM {RANDOM} {}", "xy".repeat(48)),
            "\0\u{ff}\u{fe} binary".to_owned(),
        ] {
            let log = read(&format!("# comment\n\n{wrong}\r\nCLIENT_RANDOM {RANDOM} {master}"));
            assert_eq!((log.sessions(), log.malformed()), (1, 1), "{wrong}");
        }
    }

    #[test]
    fn the_later_of_two_secrets_counts() {
        let line = |byte: &str| format!("CLIENT_RANDOM {RANDOM} {}\n", byte.repeat(48));
        let log = read(&(line("01") + &line("02")));
        let session = log.session(&random()).expect("it is there");
        let master = session.secret(SecretLabel::Master).expect("it is there");
        assert_eq!((log.sessions(), master.as_bytes()), (1, &[2; 48][..]));
    }

    #[test]
    fn there_is_a_bound_on_connections() {
        let mut log = KeyLog::new().max_sessions(2);
        let line = |n: u8| {
            format!("CLIENT_RANDOM {} {}\n", format!("{n:02x}").repeat(32), "00".repeat(48))
        };
        for n in [1, 2, 3, 1, 4] {
            log.extend(line(n).as_bytes());
        }
        assert_eq!((log.sessions(), log.refused(), log.malformed()), (2, 2, 0));
    }

    #[test]
    fn a_reader_gives_what_the_text_gives_and_holds_a_line_at_most() {
        let good = format!("CLIENT_RANDOM {RANDOM} {}\n", "cd".repeat(48));
        for long in [TOO_LONG - 2, TOO_LONG - 1, TOO_LONG, TOO_LONG + 1, 3 * TOO_LONG, 100_000] {
            let text = format!("{}\n{good}", "x".repeat(long));
            for size in [1, 7, 8192] {
                let mut log = KeyLog::new();
                log.read(io::BufReader::with_capacity(size, text.as_bytes())).expect("no errors");
                assert_eq!((log.sessions(), log.malformed()), (1, 1), "{long} {size}");
            }
        }
    }

    #[test]
    fn long_lines_are_the_same_to_a_reader_and_in_a_text() {
        let good = format!("CLIENT_RANDOM {RANDOM} {}\n", "cd".repeat(48));
        for start in ["# ", " #", "EXPORTER_SECRET 00 ", "CLIENT_RANDOM 00 ", "x", ""] {
            for long in [TOO_LONG - 1, TOO_LONG, TOO_LONG + 1, TOO_LONG + 2, 3 * TOO_LONG] {
                for fill in ["0", " "] {
                    let line = start.to_owned() + &fill.repeat(long - start.len());
                    for text in [format!("{line}\n{good}"), format!("{good}{line}")] {
                        let mut by_reader = KeyLog::new();
                        by_reader.read(text.as_bytes()).expect("no errors");
                        let seen = [&by_reader, &read(&text)]
                            .map(|log| (log.sessions(), log.malformed(), log.refused()));
                        assert_eq!(seen[0], seen[1], "{start:?} {long} {fill:?}");
                        let is_comment = start.contains('#');
                        assert!(!is_comment || seen[0] == (1, 0, 0), "{start:?} {long} {seen:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let log = read(&format!("CLIENT_RANDOM {RANDOM} {}\n", "cd".repeat(48)));
        let session = log.session(&random()).expect("it is there");
        for shown in [format!("{log:?}"), format!("{session:?}")] {
            assert!(!shown.contains("cd") && !shown.contains("205"), "{shown}");
        }
    }
}
