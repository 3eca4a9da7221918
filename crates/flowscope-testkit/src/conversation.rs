use std::fmt::{self, Write as _};
use std::fs;
use std::path::{Path, PathBuf};

use flowscope_core::FlowSide::{self, Initiator, Responder};

use crate::{Dialogue, Packet};

/// A conversation of one protocol, in a file of text.
///
/// ```text
/// # A client asks for a user.
/// tcp 79
/// > "alice\r\n"
/// < "Login: alice\r\n"
///   "Plan: none\r\n"
/// ```
///
/// The first line that is no comment has the transport and the port of the responder. Each line that begins
/// with `>` (sent by the initiator) or `<` (by the responder) begins a segment or datagram; a line that
/// begins with a space goes on with it. Bytes are strings in double quotes, with the escapes of Rust's byte
/// strings, or pairs of hexadecimal digits.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sample {
    /// The name of the file, without extension.
    pub name: String,
    /// Where the file is.
    pub path: PathBuf,
    /// What is in it.
    pub conversation: Conversation,
}

/// What two ends send each other.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Conversation {
    /// Whether it is a stream or datagrams.
    pub transport: Transport,
    /// The port of the responder.
    pub port: u16,
    /// What is sent, in order.
    pub turns: Vec<Turn>,
}

/// The transport of a sample.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Transport {
    /// TCP: turns are pieces of the two streams.
    Tcp,
    /// UDP: turns are datagrams.
    Udp,
}

/// What one side sends at once.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Turn {
    /// Who sends it.
    pub side: FlowSide,
    /// What is sent.
    pub bytes: Vec<u8>,
}

impl Sample {
    /// The samples in a folder, by name.
    ///
    /// # Panics
    ///
    /// If a file cannot be read, or is no sample.
    #[must_use]
    pub fn in_folder(folder: &Path) -> Vec<Sample> {
        let mut paths: Vec<PathBuf> = fs::read_dir(folder)
            .into_iter()
            .flatten()
            .map(|entry| {
                entry.unwrap_or_else(|error| panic!("{}: {error}", folder.display())).path()
            })
            .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
            .collect();
        paths.sort();
        paths.into_iter().map(Sample::read).collect()
    }

    /// The samples of a protocol: those in `samples/PROTOCOL` of the packages in this folder, by package and name.
    ///
    /// # Panics
    ///
    /// If a folder or file cannot be read, or a file is no sample.
    #[must_use]
    pub fn of_protocol(packages: &Path, protocol: &str) -> Vec<Sample> {
        let entries = fs::read_dir(packages);
        let entries = entries.unwrap_or_else(|error| panic!("{}: {error}", packages.display()));
        let mut folders: Vec<PathBuf> = entries
            .map(|entry| {
                entry.unwrap_or_else(|error| panic!("{}: {error}", packages.display())).path()
            })
            .collect();
        folders.sort();
        let of_it = folders.iter().map(|folder| folder.join("samples").join(protocol));
        of_it.flat_map(|folder| Sample::in_folder(&folder)).collect()
    }

    fn read(path: PathBuf) -> Sample {
        let text = fs::read_to_string(&path);
        let text = text.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let conversation = text.parse::<Conversation>();
        let conversation =
            conversation.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Sample { name, path, conversation }
    }
}

/// Longest payload of one packet: that of Ethernet.
const SEGMENT: usize = 1460;

impl Conversation {
    /// Everything that one side sends, put together.
    #[must_use]
    pub fn stream(&self, side: FlowSide) -> Vec<u8> {
        self.turns
            .iter()
            .filter(|turn| turn.side == side)
            .flat_map(|turn| turn.bytes.clone())
            .collect()
    }

    /// The packets: handshake, turns and close, or datagrams.
    #[must_use]
    pub fn packets(&self) -> Vec<Packet> {
        let responder = format!("10.0.0.2:{}", self.port);
        let script = match self.transport {
            Transport::Tcp => {
                let mut script = Dialogue::tcp("10.0.0.1:40000", &responder).handshake();
                for turn in &self.turns {
                    for bytes in turn.bytes.chunks(SEGMENT) {
                        script = script.data(turn.side, bytes);
                    }
                }
                script.close(Initiator)
            }
            Transport::Udp => {
                let script = Dialogue::udp("10.0.0.1:40000", &responder);
                self.turns
                    .iter()
                    .fold(script, |script, turn| script.datagram(turn.side, &turn.bytes))
            }
        };
        script.packets()
    }
}

impl std::str::FromStr for Conversation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut lines = text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.starts_with('#') && !line.trim().is_empty());
        let (_, head) = lines.next().ok_or("no line has the transport and the port")?;
        let (transport, port) = match head.split_once(' ') {
            Some(("tcp", port)) => (Transport::Tcp, port),
            Some(("udp", port)) => (Transport::Udp, port),
            _ => return Err(format!("`{head}` is not `tcp PORT` or `udp PORT`")),
        };
        let port = port.parse().map_err(|error| format!("port `{port}`: {error}"))?;
        let mut turns: Vec<Turn> = Vec::new();
        for (at, line) in lines {
            let at = |error: &str| format!("line {}: {error}", at + 1);
            let begin = |side| Some(Turn { side, bytes: Vec::new() });
            let begun = match line.as_bytes()[0] {
                b'>' => begin(Initiator),
                b'<' => begin(Responder),
                b' ' | b'\t' => None,
                _ => return Err(at("begins with neither `>`, `<` nor a space")),
            };
            let rest = if begun.is_some() { &line[1..] } else { line };
            turns.extend(begun);
            let turn =
                turns.last_mut().ok_or_else(|| at("goes on with a turn, and none has begun"))?;
            read_bytes(rest, &mut turn.bytes).map_err(|error| at(&error))?;
        }
        Ok(Conversation { transport, port, turns })
    }
}

/// Appends the bytes that strings and hexadecimal digits stand for.
fn read_bytes(text: &str, out: &mut Vec<u8>) -> Result<(), String> {
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' => {}
            '"' => read_string(&mut chars, out)?,
            _ => {
                let pair: String = std::iter::once(c).chain(chars.next()).collect();
                out.push(
                    hex(&pair)
                        .ok_or_else(|| format!("`{pair}` is no pair of hexadecimal digits"))?,
                );
            }
        }
    }
    Ok(())
}

/// The byte that two hexadecimal digits stand for.
fn hex(pair: &str) -> Option<u8> {
    let digits = pair.len() == 2 && pair.bytes().all(|digit| digit.is_ascii_hexdigit());
    if digits { u8::from_str_radix(pair, 16).ok() } else { None }
}

fn read_string(chars: &mut std::str::Chars<'_>, out: &mut Vec<u8>) -> Result<(), String> {
    loop {
        match chars.next().ok_or("a string has no end")? {
            '"' => return Ok(()),
            '\\' => out.push(match chars.next().ok_or("a string has no end")? {
                'n' => b'\n',
                'r' => b'\r',
                't' => b'\t',
                '0' => 0,
                '"' => b'"',
                '\\' => b'\\',
                'x' => {
                    let pair: String = chars.by_ref().take(2).collect();
                    hex(&pair).ok_or_else(|| format!("\\x{pair} is no byte"))?
                }
                other => return Err(format!("\\{other} is no escape")),
            }),
            c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

/// Longest piece of a line, in bytes.
const TEXT_LINE: usize = 76;
const HEX_LINE: usize = 32;

/// As the file of a sample.
impl fmt::Display for Conversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let transport = if self.transport == Transport::Tcp { "tcp" } else { "udp" };
        writeln!(f, "{transport} {}", self.port)?;
        for turn in &self.turns {
            let mut mark = if turn.side == Initiator { '>' } else { '<' };
            if turn.bytes.is_empty() {
                writeln!(f, "{mark}")?;
            }
            for piece in lines_of(&turn.bytes) {
                write!(f, "{mark} ")?;
                mark = ' ';
                if is_text(piece) {
                    write_string(f, piece)?;
                } else {
                    write_hex(f, piece)?;
                }
                f.write_char('\n')?;
            }
        }
        Ok(())
    }
}

/// Whether bytes are easier to read as a string.
fn is_text(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\r' | b'\n' | b'\t'))
}

/// Cuts bytes into what stands in one line each: text up to a line feed, or bytes up to the next text.
fn lines_of(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let text = rest.iter().take(TEXT_LINE).take_while(|&&byte| is_text(&[byte])).count();
        let len = if text >= 8 || text == rest.len() {
            rest[..text].iter().position(|&byte| byte == b'\n').map_or(text, |at| at + 1)
        } else {
            // Up to where at least eight characters of text begin.
            let text_at = |at: usize| rest.len() >= at + 8 && is_text(&rest[at..at + 8]);
            (1..rest.len().min(HEX_LINE))
                .find(|&at| text_at(at))
                .unwrap_or(rest.len().min(HEX_LINE))
        };
        let (line, behind) = rest.split_at(len);
        rest = behind;
        Some(line)
    })
}

fn write_string(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    f.write_char('"')?;
    for &byte in bytes {
        match byte {
            b'\n' => f.write_str("\\n")?,
            b'\r' => f.write_str("\\r")?,
            b'\t' => f.write_str("\\t")?,
            b'"' => f.write_str("\\\"")?,
            b'\\' => f.write_str("\\\\")?,
            _ => f.write_char(char::from(byte))?,
        }
    }
    f.write_char('"')
}

fn write_hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    for (at, byte) in bytes.iter().enumerate() {
        let space = if at == 0 { "" } else { " " };
        write!(f, "{space}{byte:02x}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rng;

    #[test]
    fn strings_and_digits_are_bytes() {
        let text = "# A sample.\n\nudp 69\n> 00 01 \"a\\0\\x62\\\"\" 0d0a\n  \"c\"\n<\n< ff\n";
        let conversation: Conversation = text.parse().unwrap();
        assert_eq!((conversation.transport, conversation.port), (Transport::Udp, 69));
        let turn = |side, bytes: &[u8]| Turn { side, bytes: bytes.to_vec() };
        let turns =
            [turn(Initiator, b"\0\x01a\0b\"\r\nc"), turn(Responder, b""), turn(Responder, b"\xff")];
        assert_eq!(conversation.turns, turns);
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        for (text, part) in [
            ("", "no line"),
            ("sctp 1", "not `tcp PORT`"),
            ("tcp x", "port `x`"),
            ("tcp 1\n  00", "line 2: goes on"),
            ("tcp 1\n> 0", "line 2: `0` is no pair"),
            ("tcp 1\n> \"a", "no end"),
            ("tcp 1\n> \"\\q\"", "\\q is no escape"),
            ("tcp 1\n> 00\nx", "line 3: begins"),
        ] {
            let error = text.parse::<Conversation>().unwrap_err();
            assert!(error.contains(part), "{text:?}: {error}");
        }
    }

    #[test]
    fn what_is_written_reads_the_same() {
        let mut rng = Rng::new(5);
        for _ in 0..500 {
            let turns = (0..rng.below(5)).map(|_| {
                let side = if rng.one_in(2) { Initiator } else { Responder };
                let mut bytes = Vec::new();
                for _ in 0..rng.below(4) {
                    let len = rng.below(100);
                    if rng.one_in(2) {
                        bytes.extend(rng.bytes(len));
                    } else {
                        bytes.extend((0..len).map(|_| *rng.pick(b"abc \"\\\r\n\t~")));
                    }
                }
                Turn { side, bytes }
            });
            let turns = turns.collect();
            let conversation = Conversation { transport: Transport::Tcp, port: 7, turns };
            let text = conversation.to_string();
            assert_eq!(text.parse().as_ref(), Ok(&conversation), "{text}");
        }
    }
}
