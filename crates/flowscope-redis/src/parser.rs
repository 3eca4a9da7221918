#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use flowscope_core::FlowSide::{self, Initiator, Responder};
use flowscope_core::{ParserStatus, Probe, SessionParser, StreamChunk, Timestamp, feed_once};

use crate::command::{Command, Effect};
use crate::reply::{Confirmation, Replies, Reply, Topic};
use crate::request::Requests;
use crate::{RedisExchange, RedisKind, RedisReply, probe};

/// Commands that may wait for their reply; clients send many at once.
const MAX_OPEN: usize = 256;

/// Reads a connection to Redis, and emits a [`RedisExchange`] for each command when its reply is there, and for each
/// push.
///
/// The initiator is the client. Replies come in the order of commands; a subscription has a confirmation for each channel,
/// which are one reply. While confirmations count a subscription, arrays of RESP2 may be pushes. Up to 8 commands in
/// succession may have names that no command has; another one ends parsing. Behind `MONITOR`, `SYNC` and `PSYNC` nothing
/// more is read. Bytes that were not captured are
/// passed over where they lie within a string; else they end parsing.
///
/// Holds at most 192 KiB: 256 commands without a reply; of more, the oldest becomes a record.
#[derive(Clone, Debug, Default)]
pub struct RedisParser {
    requests: Requests,
    replies: Replies,
    open: VecDeque<Open>,
    /// Replies to come of commands that are records already.
    overdue: u64,
    /// The server speaks RESP3: arrays are no pushes.
    is_resp3: bool,
    subscriptions: Subscriptions,
    /// `CLIENT REPLY OFF`: there are no replies.
    is_silent: bool,
    /// `CLIENT REPLY SKIP`, which has no effect while there are no replies: the next command has none.
    skips_next: bool,
}

/// What the client is subscribed to, by what confirmations have said.
#[derive(Clone, Copy, Debug, Default)]
struct Subscriptions {
    channels: u64,
    patterns: u64,
    shards: u64,
    /// Confirmations may come that no open command waits for: of commands in a transaction, whose reply has only the first
    /// of them, or with `CLIENT REPLY OFF`, from which Redis 7 exempts them.
    may_come: bool,
}

impl Subscriptions {
    /// Whether arrays of RESP2 may be pushes.
    fn any(self) -> bool {
        self.may_come || self.channels > 0 || self.patterns > 0 || self.shards > 0
    }

    /// What is left of subscriptions of this kind.
    fn of(self, topic: Topic) -> u64 {
        match topic {
            Topic::Channel => self.channels,
            Topic::Pattern => self.patterns,
            Topic::Shard => self.shards,
        }
    }

    /// Takes over what a confirmation counts.
    fn confirm(&mut self, confirmation: Confirmation) {
        let Confirmation { topic, count, is_named, .. } = confirmation;
        self.may_come = false;
        let (own, other) = match topic {
            Topic::Channel => (&mut self.channels, &mut self.patterns),
            Topic::Pattern => (&mut self.patterns, &mut self.channels),
            Topic::Shard => {
                self.shards = count;
                return;
            }
        };
        // Without a name there is none of its own kind.
        *other = if is_named { count.min(*other) } else { count };
        *own = count - *other;
    }
}

/// A command without a reply.
#[derive(Clone, Debug)]
struct Open {
    exchange: RedisExchange,
    effect: Effect,
    /// Replies that are still to come: a subscription has several.
    replies: u64,
}

impl Open {
    /// Whether this may confirm it.
    fn expects(&self, confirmation: Confirmation) -> bool {
        self.effect == Effect::Subscribe
            && self
                .exchange
                .command
                .as_ref()
                .is_some_and(|it| it.eq_ignore_ascii_case(confirmation.command))
    }
}

impl RedisParser {
    fn command(&mut self, ts: Timestamp, command: Command, out: &mut Vec<RedisExchange>) {
        let name = command.name();
        let effect = command.effect(&name);
        let mut exchange = command.record(name);
        exchange.ts = ts;
        // The reply to `CLIENT REPLY ON` is skipped by none before it.
        let is_skipped = std::mem::take(&mut self.skips_next) && effect != Effect::ReplyOn;
        match effect {
            Effect::ReplyOn | Effect::Reset => self.is_silent = false,
            Effect::ReplyOff => self.is_silent = true,
            Effect::ReplySkip => self.skips_next = !self.is_silent,
            _ => {}
        }
        if is_skipped || self.is_silent || effect == Effect::ReplySkip {
            self.subscriptions.may_come |= effect == Effect::Subscribe;
            out.push(exchange);
            return;
        }
        if self.open.len() == MAX_OPEN
            && let Some(oldest) = self.open.pop_front()
        {
            self.overdue += oldest.replies;
            self.subscriptions.may_come |= oldest.effect == Effect::Subscribe;
            out.push(oldest.exchange);
        }
        let replies = if effect == Effect::Subscribe { exchange.args.max(1) } else { 1 };
        self.open.push_back(Open { exchange, effect, replies });
    }

    fn reply(&mut self, ts: Timestamp, reply: Reply, out: &mut Vec<RedisExchange>) -> ParserStatus {
        let may_be_push = reply.reply.kind == RedisKind::Push
            || reply.reply.kind == RedisKind::Array && self.subscriptions.any() && !self.is_resp3;
        let confirmation = reply
            .confirmation()
            .filter(|&it| may_be_push || self.open.front().is_some_and(|open| open.expects(it)));
        let is_message = may_be_push && reply.is_message();
        let Reply { mut reply, mut words, .. } = reply;
        if is_message || confirmation.is_none() && reply.kind == RedisKind::Push {
            // Of a pattern, the pattern comes before the channel.
            let at = if words.first().is_some_and(|it| it == b"pmessage") { 2 } else { 1 };
            let key = if is_message { words.get_mut(at).map(std::mem::take) } else { None };
            reply.kind = RedisKind::Push;
            reply.push = words.into_iter().next();
            out.push(RedisExchange { ts, key, reply: Some(reply), ..RedisExchange::default() });
            return ParserStatus::Continue;
        }
        if let Some(confirmation) = confirmation {
            self.subscriptions.confirm(confirmation);
        }
        if self.overdue > 0 {
            self.overdue -= 1;
            return ParserStatus::Continue;
        }
        // Confirmations come one behind the other: something else is of the next command.
        let is_over = |open: &&Open| {
            open.effect == Effect::Subscribe
                && open.exchange.reply.is_some()
                && !confirmation.is_some_and(|it| open.expects(it))
        };
        if self.open.front().filter(is_over).is_some() {
            out.extend(self.open.pop_front().map(|open| open.exchange));
        }
        let Some(open) = self.open.front_mut() else { return ParserStatus::Continue };
        open.replies = match confirmation {
            Some(of) if open.expects(of) && open.exchange.args == 0 => {
                self.subscriptions.of(of.topic)
            }
            Some(of) if open.expects(of) => open.replies.saturating_sub(1),
            // No command has asked for it: channels of a shard that moves to another node.
            Some(_) => return ParserStatus::Continue,
            None => 0,
        };
        // Within a transaction, the command is queued.
        self.subscriptions.may_come |=
            open.effect == Effect::Subscribe && reply.kind == RedisKind::Status;
        let bytes = open.exchange.reply.as_ref().map_or(0, |reply| reply.bytes);
        reply.bytes += bytes;
        open.exchange.latency = Some(ts.since(open.exchange.ts));
        open.exchange.reply = Some(reply);
        if open.replies > 0 {
            return ParserStatus::Continue;
        }
        let Some(Open { exchange, effect, .. }) = self.open.pop_front() else {
            return ParserStatus::Continue;
        };
        let kind = exchange.reply.as_ref().map(|reply: &RedisReply| reply.kind);
        out.push(exchange);
        match effect {
            Effect::Hello if kind != Some(RedisKind::Error) => {
                self.is_resp3 = kind == Some(RedisKind::Map);
            }
            Effect::Reset if kind != Some(RedisKind::Error) => {
                self.is_resp3 = false;
                self.subscriptions = Subscriptions::default();
            }
            Effect::Stream if kind != Some(RedisKind::Error) => {
                self.end(out);
                return ParserStatus::Done;
            }
            _ => {}
        }
        ParserStatus::Continue
    }
}

impl SessionParser for RedisParser {
    type Message = RedisExchange;

    fn feed_initiator(&mut self, bytes: &[u8]) -> Vec<RedisExchange> {
        feed_once(self, StreamChunk::new(Initiator, Timestamp::ZERO, 0, bytes))
    }

    fn feed_responder(&mut self, bytes: &[u8]) -> Vec<RedisExchange> {
        feed_once(self, StreamChunk::new(Responder, Timestamp::ZERO, 0, bytes))
    }

    fn feed_into(&mut self, chunk: StreamChunk<'_>, out: &mut Vec<RedisExchange>) -> ParserStatus {
        let StreamChunk { side, ts, mut bytes, .. } = chunk;
        loop {
            let read = match side {
                Initiator => self.requests.next(&mut bytes).map(|command| {
                    let command = command?;
                    self.command(ts, command, out);
                    Some(ParserStatus::Continue)
                }),
                Responder => self.replies.next(&mut bytes).map(|reply| {
                    let reply = reply?;
                    Some(self.reply(ts, reply, out))
                }),
            };
            match read {
                Ok(Some(ParserStatus::Continue)) => {}
                Ok(Some(status)) => return status,
                Ok(None) => return ParserStatus::Continue,
                Err(error) => return ParserStatus::Failed(error),
            }
        }
    }

    fn gap(&mut self, side: FlowSide, len: u64, out: &mut Vec<RedisExchange>) -> ParserStatus {
        let is_within = match side {
            Initiator => self.requests.skip(len),
            Responder => self.replies.skip(len),
        };
        if is_within {
            return ParserStatus::Continue;
        }
        // Where the next command or reply begins is not known any more.
        self.end(out);
        ParserStatus::Done
    }

    fn end(&mut self, out: &mut Vec<RedisExchange>) {
        out.extend(self.open.drain(..).map(|open| open.exchange));
    }

    fn heap_bytes(&self) -> usize {
        self.requests.heap_bytes()
            + self.replies.heap_bytes()
            + self.open.capacity() * size_of::<Open>()
            + self.open.iter().map(|open| open.exchange.heap_bytes()).sum::<usize>()
    }

    fn probe(side: FlowSide, start: &[u8]) -> Probe {
        probe::probe(side, start)
    }
}
