#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use flowscope_core::FlowSide::{self, Initiator, Responder};
use flowscope_core::{ParserStatus, Probe, SessionParser, StreamChunk, Timestamp, feed_once};

use crate::command::{Command, Effect};
use crate::reply::{Replies, Reply};
use crate::request::Requests;
use crate::{RedisExchange, RedisKind, RedisReply, probe};

/// Commands that may wait for their reply; clients send many at once.
const MAX_OPEN: usize = 256;
/// What the server says of channels: confirmations of commands.
const CONFIRMATIONS: [&[u8]; 6] =
    [b"subscribe", b"psubscribe", b"ssubscribe", b"unsubscribe", b"punsubscribe", b"sunsubscribe"];
/// What the server sends to subscribers.
const MESSAGES: [&[u8]; 3] = [b"message", b"pmessage", b"smessage"];

/// Reads a connection to Redis, and emits a [`RedisExchange`] for each command when its reply is there, and for each
/// push.
///
/// The initiator is the client. Replies come in the order of commands; a subscription has a confirmation for each channel,
/// which are one reply. Up to 8 commands in succession may have names that no command has; another one
/// ends parsing. Behind `MONITOR`, `SYNC` and `PSYNC` nothing more is read. Bytes that were not captured are
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
    /// The client has subscribed to something.
    is_subscribed: bool,
    /// `CLIENT REPLY OFF`: there are no replies.
    is_silent: bool,
    /// `CLIENT REPLY SKIP`: the next command has no reply.
    skips_next: bool,
}

/// A command without a reply.
#[derive(Clone, Debug)]
struct Open {
    exchange: RedisExchange,
    effect: Effect,
    /// Replies that are still to come: a subscription has several.
    replies: u64,
}

impl RedisParser {
    fn command(&mut self, ts: Timestamp, command: Command, out: &mut Vec<RedisExchange>) {
        let name = command.name();
        let effect = command.effect(&name);
        let mut exchange = command.record(name);
        exchange.ts = ts;
        let is_skipped = std::mem::take(&mut self.skips_next);
        match effect {
            Effect::ReplyOn => self.is_silent = false,
            Effect::ReplyOff => self.is_silent = true,
            Effect::ReplySkip => self.skips_next = true,
            Effect::Subscribe => self.is_subscribed = true,
            _ => {}
        }
        if is_skipped || self.is_silent || effect == Effect::ReplySkip {
            out.push(exchange);
            return;
        }
        if self.open.len() == MAX_OPEN
            && let Some(oldest) = self.open.pop_front()
        {
            self.overdue += oldest.replies;
            out.push(oldest.exchange);
        }
        let replies = if effect == Effect::Subscribe { exchange.args.max(1) } else { 1 };
        self.open.push_back(Open { exchange, effect, replies });
    }

    fn reply(&mut self, ts: Timestamp, reply: Reply, out: &mut Vec<RedisExchange>) -> ParserStatus {
        let Reply { mut reply, mut words, .. } = reply;
        let first = words.first().map_or(&[][..], Vec::as_slice);
        let may_be_push = reply.kind == RedisKind::Push
            || reply.kind == RedisKind::Array && self.is_subscribed && !self.is_resp3;
        let is_confirmation = may_be_push && CONFIRMATIONS.contains(&first);
        if may_be_push && !is_confirmation {
            let is_message = MESSAGES.contains(&first);
            if is_message || reply.kind == RedisKind::Push {
                // Of a pattern, the pattern comes before the channel.
                let at = if first == b"pmessage" { 2 } else { 1 };
                let key = if is_message { words.get_mut(at).map(std::mem::take) } else { None };
                reply.kind = RedisKind::Push;
                reply.push = words.into_iter().next();
                out.push(RedisExchange { ts, key, reply: Some(reply), ..RedisExchange::default() });
                return ParserStatus::Continue;
            }
        }
        if self.overdue > 0 {
            self.overdue -= 1;
            return ParserStatus::Continue;
        }
        let Some(open) = self.open.front_mut() else { return ParserStatus::Continue };
        let is_subscribe = open.effect == Effect::Subscribe;
        // One that ends all subscriptions is confirmed more often than it has arguments.
        if is_confirmation && !is_subscribe {
            return ParserStatus::Continue;
        }
        open.replies = if reply.is_error() { 0 } else { open.replies.saturating_sub(1) };
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
                self.is_subscribed = false;
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
