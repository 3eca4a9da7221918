//! What a record has of a command.

use crate::RedisExchange;
use crate::keys::{has_subcommands, key_of};

/// Bytes of an argument that are kept.
pub(crate) const MAX_KEPT: usize = 128;
/// Bytes of a command that are kept; commands have fewer.
const MAX_COMMAND: usize = 32;
/// Arguments that are looked at: the command, and three that may be its subcommand, its key or a user.
pub(crate) const MAX_ARGS: usize = 4;

/// A command that is complete.
#[derive(Clone, Debug, Default)]
pub(crate) struct Command {
    /// The command and the first of its arguments.
    pub(crate) words: Vec<Vec<u8>>,
    /// All of its arguments, itself included.
    pub(crate) count: u64,
    /// Length on the wire.
    pub(crate) bytes: u64,
}

/// What the pairing of commands and replies has to know of a command.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Effect {
    /// One reply.
    Plain,
    /// A confirmation for each channel or pattern, of which a command that ends all subscriptions names none.
    Subscribe,
    /// `HELLO`: its reply shows the version.
    Hello,
    /// `RESET`: the version is RESP2 again, there are no subscriptions, and replies are on.
    Reset,
    /// What follows its reply is no reply: `MONITOR`, `SYNC`, `PSYNC`.
    Stream,
    /// `CLIENT REPLY ON`, `OFF` and `SKIP`.
    ReplyOn,
    ReplyOff,
    ReplySkip,
}

impl Command {
    /// Its name in upper case.
    pub(crate) fn name(&self) -> Vec<u8> {
        let name = self.words.first().map_or(&[][..], Vec::as_slice);
        name[..name.len().min(MAX_COMMAND)].to_ascii_uppercase()
    }

    fn is(&self, at: usize, word: &str) -> bool {
        self.words.get(at).is_some_and(|it| it.eq_ignore_ascii_case(word.as_bytes()))
    }

    pub(crate) fn effect(&self, name: &[u8]) -> Effect {
        match name {
            b"SUBSCRIBE" | b"PSUBSCRIBE" | b"SSUBSCRIBE" | b"UNSUBSCRIBE" | b"PUNSUBSCRIBE"
            | b"SUNSUBSCRIBE" => Effect::Subscribe,
            b"HELLO" => Effect::Hello,
            b"RESET" => Effect::Reset,
            b"MONITOR" | b"SYNC" | b"PSYNC" => Effect::Stream,
            b"CLIENT" if self.is(1, "REPLY") && self.is(2, "ON") => Effect::ReplyOn,
            b"CLIENT" if self.is(1, "REPLY") && self.is(2, "OFF") => Effect::ReplyOff,
            b"CLIENT" if self.is(1, "REPLY") && self.is(2, "SKIP") => Effect::ReplySkip,
            _ => Effect::Plain,
        }
    }

    /// The record, without a reply.
    pub(crate) fn record(mut self, name: Vec<u8>) -> RedisExchange {
        let user = match name.as_slice() {
            // With one argument it is the password of the default user.
            b"AUTH" if self.count == 3 => self.take(1),
            b"HELLO" if self.is(2, "AUTH") => self.take(3),
            _ => None,
        };
        let key = key_of(&name).and_then(|at| self.take(at));
        let subcommand = if has_subcommands(&name) { self.take(1) } else { None };
        let mut command = name;
        if let Some(subcommand) = subcommand.filter(|it| is_name(it)) {
            command.push(b' ');
            command.extend(subcommand.to_ascii_uppercase());
        }
        command.shrink_to_fit();
        RedisExchange {
            command: Some(command),
            key,
            args: self.count.saturating_sub(1),
            user,
            request_bytes: self.bytes,
            ..RedisExchange::default()
        }
    }

    fn take(&mut self, at: usize) -> Option<Vec<u8>> {
        let mut word = self.words.get_mut(at).map(std::mem::take)?;
        word.shrink_to_fit();
        Some(word)
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.words.capacity() * size_of::<Vec<u8>>()
            + self.words.iter().map(Vec::capacity).sum::<usize>()
    }
}

/// Whether a word may be a command, of Redis itself or of a module: `JSON.SET`.
pub(crate) fn is_name(word: &[u8]) -> bool {
    let is_inner = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    word.len() <= MAX_COMMAND
        && word.first().is_some_and(u8::is_ascii_alphabetic)
        && word.iter().all(is_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(words: &[&str]) -> RedisExchange {
        let kept = words.iter().take(MAX_ARGS).map(|word| word.as_bytes().to_vec()).collect();
        let command = Command { words: kept, count: words.len() as u64, bytes: 9 };
        let name = command.name();
        command.record(name)
    }

    #[test]
    fn users_are_kept_and_passwords_are_not() {
        let check = |words: &[&str], user: Option<&str>| {
            let record = record(words);
            assert_eq!(record.user.as_deref(), user.map(str::as_bytes), "{words:?}");
            let secret = format!("{:?}", b"sesame");
            assert!(!format!("{record:?}").contains(secret.trim_matches(['[', ']'])), "{words:?}");
        };
        check(&["auth", "sesame"], None);
        check(&["AUTH", "alice", "sesame"], Some("alice"));
        check(&["HELLO", "3", "AUTH", "alice", "sesame"], Some("alice"));
        check(&["HELLO", "3"], None);
        check(&["AUHT", "sesame"], None);
        check(&["CONFIG", "SET", "requirepass", "sesame"], None);
        check(&["ACL", "SETUSER", "alice", ">sesame"], None);
        check(&["MIGRATE", "h", "1", "sesame"], None);
        check(&["CLIENT", "se same"], None);
    }

    #[test]
    fn commands_have_keys_and_subcommands() {
        let check = |words: &[&str], command: &str, key: Option<&str>| {
            let record = record(words);
            assert_eq!(record.command.as_deref(), Some(command.as_bytes()));
            assert_eq!(record.key.as_deref(), key.map(str::as_bytes), "{words:?}");
            assert_eq!(record.args, words.len() as u64 - 1);
        };
        check(&["get", "k"], "GET", Some("k"));
        check(&["PING"], "PING", None);
        check(&["object", "encoding", "k"], "OBJECT ENCODING", Some("k"));
        check(&["config", "get", "save"], "CONFIG GET", None);
        check(&["JSON.SET", "k", "$", "1", "x"], "JSON.SET", None);
    }
}
