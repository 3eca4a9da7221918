//! Commands from the bytes of a client: arrays of strings, or lines (RESP specification, Inline commands).

use flowscope_core::ParseError;
use flowscope_lines::{LineBuffer, first_piece};

use crate::command::{Command, MAX_ARGS, MAX_KEPT, is_name};

/// Bytes of a line that are kept.
const MAX_LINE: usize = 1024;

/// Reads commands.
#[derive(Clone, Debug, Default)]
pub(crate) struct Requests {
    line: LineBuffer<MAX_LINE>,
    /// Arguments of the command that are still to come, the one at hand included.
    args_left: u64,
    /// Bytes of the argument at hand that are still to come, with the end of its line.
    string_left: u64,
    command: Command,
    /// Commands in succession whose names no command has.
    odd: u8,
}

/// Commands in succession whose names no command has, after which the bytes are not taken for commands.
const MAX_ODD: u8 = 8;

impl Requests {
    /// Reads on until a command is complete; `None` when the bytes are used up.
    ///
    /// # Errors
    ///
    /// Lengths that are none, and what is no command.
    pub(crate) fn next(&mut self, bytes: &mut &[u8]) -> Result<Option<Command>, ParseError> {
        while !bytes.is_empty() {
            if self.string_left > 0 {
                let len = self.string_left.min(bytes.len() as u64);
                let (string, rest) = bytes.split_at(len as usize);
                *bytes = rest;
                self.push(string);
                self.string_left -= len;
                self.command.bytes += len;
                if self.string_left > 0 {
                    continue;
                }
                self.args_left -= 1;
            } else {
                let piece = first_piece(bytes);
                *bytes = &bytes[piece.len()..];
                self.command.bytes += piece.len() as u64;
                // The line borrows the buffer, which is not the reader's meanwhile.
                let mut buffer = std::mem::take(&mut self.line);
                let read = buffer.push(piece).map(|line| self.line(line.text));
                self.line = buffer;
                match read {
                    Some(read) => read?,
                    None => continue,
                }
            }
            if self.args_left == 0 {
                let command = std::mem::take(&mut self.command);
                match command.words.first() {
                    Some(name) if is_name(name) => {
                        self.odd = 0;
                        return Ok(Some(command));
                    }
                    // The server answers that it does not know it.
                    Some(name) if self.odd < MAX_ODD && name.iter().all(u8::is_ascii_graphic) => {
                        self.odd += 1;
                        return Ok(Some(command));
                    }
                    Some(_) => return Err(ParseError::InvalidField("command")),
                    // An empty line, or an empty array.
                    None => {}
                }
            }
        }
        Ok(None)
    }

    /// Passes over `len` bytes that were not captured: whether they lie within an argument.
    pub(crate) fn skip(&mut self, len: u64) -> bool {
        // The end of the line stays.
        let within = len > 0 && self.string_left > len + 2;
        if within {
            self.string_left -= len;
            self.command.bytes += len;
        }
        within
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.line.heap_bytes() + self.command.heap_bytes()
    }

    /// A line: the start of a command, the length of an argument, or a command by itself.
    fn line(&mut self, line: &[u8]) -> Result<(), ParseError> {
        match (self.args_left, line.split_first()) {
            (0, Some((b'*', count))) => {
                let count = number(count).ok_or(ParseError::InvalidField("multibulk length"))?;
                self.args_left = count.unwrap_or(0);
                self.command.count = self.args_left;
            }
            (0, _) => {
                for word in words(line) {
                    if self.command.words.len() < MAX_ARGS {
                        self.command.words.push(word[..word.len().min(MAX_KEPT)].to_vec());
                    }
                    self.command.count += 1;
                }
            }
            (_, Some((b'$', len))) => {
                let len = number(len).flatten().ok_or(ParseError::InvalidField("bulk length"))?;
                self.string_left = len + 2;
                if self.command.words.len() < MAX_ARGS {
                    self.command.words.push(Vec::new());
                }
            }
            _ => return Err(ParseError::InvalidField("bulk length")),
        }
        Ok(())
    }

    /// Bytes of an argument, and the end of its line.
    fn push(&mut self, bytes: &[u8]) {
        let at = self.command.count - self.args_left;
        let text = self.string_left.saturating_sub(2).min(bytes.len() as u64);
        let Some(word) = usize::try_from(at).ok().and_then(|at| self.command.words.get_mut(at))
        else {
            return;
        };
        let room = MAX_KEPT.saturating_sub(word.len());
        word.extend_from_slice(&bytes[..room.min(text as usize)]);
    }
}

/// The number in a line, `None` within for -1, which is nothing.
pub(crate) fn number(text: &[u8]) -> Option<Option<u64>> {
    if text == b"-1" {
        return Some(None);
    }
    let is_number = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let number: u32 = is_number.then(|| str::from_utf8(text).ok()?.parse().ok())??;
    Some(Some(number.into()))
}

/// The words of a line. Quotes keep words together; what they hold is not unescaped.
fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = line;
    std::iter::from_fn(move || {
        rest = rest.trim_ascii_start();
        let (&first, _) = rest.split_first()?;
        let word;
        if matches!(first, b'"' | b'\'') {
            let inner = &rest[1..];
            let end = inner.iter().position(|&byte| byte == first).unwrap_or(inner.len());
            word = &inner[..end];
            rest = inner.get(end + 1..).unwrap_or_default();
        } else {
            let end = rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len());
            (word, rest) = rest.split_at(end);
        }
        Some(word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(requests: &mut Requests, mut bytes: &[u8]) -> Vec<(Vec<String>, u64, u64)> {
        let mut commands = Vec::new();
        while let Some(command) = requests.next(&mut bytes).unwrap() {
            let text = |word: &Vec<u8>| String::from_utf8_lossy(word).into_owned();
            commands.push((command.words.iter().map(text).collect(), command.count, command.bytes));
        }
        commands
    }

    #[test]
    fn commands_do_not_depend_on_how_they_are_cut() {
        let text = b"*2\r\n$3\r\nGET\r\n$3\r\na\r\n\r\n*0\r\n\r\nPING\r\nset \"a b\" 'c'\n*6\r\n$4\r\nMSET\r\n$0\r\n\r\n$1\r\n1\r\n\
              $1\r\n2\r\n$1\r\n3\r\n$1\r\n4\r\n";
        let whole = read(&mut Requests::default(), text);
        let words: Vec<_> =
            whole.iter().map(|(words, count, _)| (words.join("|"), *count)).collect();
        let expected = [("GET|a\r\n", 2), ("PING", 1), ("set|a b|c", 3), ("MSET||1|2", 6)];
        assert_eq!(words, expected.map(|(words, count)| (words.to_owned(), count)));
        for size in 1..20 {
            let mut requests = Requests::default();
            let commands: Vec<_> =
                text.chunks(size).flat_map(|piece| read(&mut requests, piece)).collect();
            assert_eq!(commands, whole, "{size}");
        }
    }

    #[test]
    fn what_is_no_command() {
        let check = |text: &str, field| {
            let mut bytes = text.as_bytes();
            let mut requests = Requests::default();
            let error = std::iter::repeat_with(|| requests.next(&mut bytes)).find_map(Result::err);
            let error = error.expect("no command");
            assert_eq!(error, ParseError::InvalidField(field), "{text:?}");
        };
        check("*x\r\n", "multibulk length");
        check("*99999999999\r\n", "multibulk length");
        check("*1\r\n:1\r\n", "bulk length");
        check("*1\r\n$-1\r\n", "bulk length");
        check("*1\r\n$-5\r\n", "bulk length");
        check("*1\r\n\r\n", "bulk length");
        check("*1\r\n$1\r\n\0\r\n", "command");
        check("\u{16}\u{3}\n", "command");
        check(&"?what\r\n".repeat(9), "command");
    }

    #[test]
    fn a_few_unknown_names_are_commands() {
        let text = format!("{}PING\r\n", "?what\r\n".repeat(8)).repeat(2);
        assert_eq!(read(&mut Requests::default(), text.as_bytes()).len(), 18);
    }
}
