#[cfg(test)]
mod tests;

use flowscope_core::FlowSide::{self, Initiator, Responder};
use flowscope_core::{
    ParseError, ParserStatus, Probe, Remainder, SessionParser, StreamChunk, Timestamp, feed_once,
};

use super::{SocksRequest, wire};
use crate::handoff::Handoff;

/// Reads the beginning of a SOCKS connection, and emits one [`SocksRequest`] for it: when the server's reply is
/// there, when the server refuses all methods, or at the end.
///
/// The initiator is the client. Behind a granted CONNECT the parser gives way to the protocol that is spoken
/// with the target ([`ParserStatus::Upgrade`]); behind all else, and behind methods other than none and RFC
/// 1929, it is done. No password is kept. Bytes that were not captured end parsing.
///
/// Holds 8192 bytes per side that were not read, more of which are an error, and a record of 1 KiB.
#[derive(Clone, Debug, Default)]
pub struct SocksParser {
    held: Handoff,
    next: Next,
    request: SocksRequest,
    begun: bool,
}

/// What is awaited.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Next {
    #[default]
    Version,
    Method,
    User,
    UserStatus,
    Request,
    Reply,
    Over,
}

impl SocksParser {
    /// Reads the next message, if it is there; says whether it was.
    fn step(&mut self, ts: Timestamp) -> Result<bool, ParseError> {
        let request = &mut self.request;
        let is_v5 = request.version == 5;
        let (side, len) = match self.next {
            Next::Version => {
                let client = self.held.bytes(Initiator);
                let Some(&version) = client.first() else { return Ok(false) };
                request.version = version;
                match version {
                    5 => {
                        let Some((methods, len)) = wire::methods(client)? else { return Ok(false) };
                        request.methods = methods;
                        self.next = Next::Method;
                        (Initiator, len)
                    }
                    4 => {
                        let Some(((target, user), len)) = wire::request4(client)? else {
                            return Ok(false);
                        };
                        request.user = (!user.is_empty()).then_some(user);
                        request.set_target(target);
                        self.next = Next::Reply;
                        (Initiator, len)
                    }
                    _ => return Err(ParseError::NotTheProtocol),
                }
            }
            Next::Method => {
                let Some((method, len)) = wire::method(self.held.bytes(Responder))? else {
                    return Ok(false);
                };
                request.method = Some(method);
                self.next = match method {
                    NONE_NEEDED => Next::Request,
                    USER_AND_PASSWORD => Next::User,
                    _ => Next::Over,
                };
                (Responder, len)
            }
            Next::User => {
                let Some((user, len)) = wire::user(self.held.bytes(Initiator))? else {
                    return Ok(false);
                };
                request.user = Some(user);
                self.next = Next::UserStatus;
                (Initiator, len)
            }
            Next::UserStatus => {
                let Some((accepted, len)) = wire::user_status(self.held.bytes(Responder))? else {
                    return Ok(false);
                };
                request.authenticated = Some(accepted);
                self.next = if accepted { Next::Request } else { Next::Over };
                (Responder, len)
            }
            Next::Request => {
                let Some((target, len)) = wire::endpoint5(self.held.bytes(Initiator))? else {
                    return Ok(false);
                };
                request.set_target(target);
                self.next = Next::Reply;
                (Initiator, len)
            }
            Next::Reply => {
                let server = self.held.bytes(Responder);
                let read = if is_v5 { wire::endpoint5(server)? } else { wire::reply4(server)? };
                let Some(((status, bound, port), len)) = read else { return Ok(false) };
                request.status = Some(status);
                (request.bound, request.bound_port) = (Some(bound), Some(port));
                request.latency = Some(ts.since(request.ts));
                self.next = Next::Over;
                (Responder, len)
            }
            Next::Over => return Ok(false),
        };
        self.held.consume(side, len);
        Ok(true)
    }

    /// Emits the record, once.
    fn report(&mut self, out: &mut Vec<SocksRequest>) {
        self.next = Next::Over;
        if std::mem::take(&mut self.begun) {
            let request = std::mem::take(&mut self.request);
            if matches!(request.version, 4 | 5) {
                out.push(request);
            }
        }
    }
}

impl SocksRequest {
    fn set_target(&mut self, (command, host, port): wire::Endpoint) {
        self.command = Some(command);
        (self.target, self.target_port) = (Some(host), Some(port));
    }
}

impl SessionParser for SocksParser {
    type Message = SocksRequest;

    fn feed_initiator(&mut self, bytes: &[u8]) -> Vec<SocksRequest> {
        feed_once(self, StreamChunk::new(Initiator, Timestamp::ZERO, 0, bytes))
    }

    fn feed_responder(&mut self, bytes: &[u8]) -> Vec<SocksRequest> {
        feed_once(self, StreamChunk::new(Responder, Timestamp::ZERO, 0, bytes))
    }

    fn feed_into(&mut self, chunk: StreamChunk<'_>, out: &mut Vec<SocksRequest>) -> ParserStatus {
        if self.next == Next::Over {
            return ParserStatus::Done;
        }
        if chunk.side == Initiator && !chunk.bytes.is_empty() && !self.begun {
            self.begun = true;
            self.request.ts = chunk.ts;
        }
        self.held.push(chunk);
        let read = loop {
            match self.step(chunk.ts) {
                Ok(true) => {}
                Ok(false) => break self.held.check(),
                Err(error) => break Err(error),
            }
        };
        if let Err(error) = read {
            self.held.clear();
            // What is not the protocol has no record.
            if self.request.command.is_some() || self.request.method.is_some() {
                self.report(out);
            }
            self.begun = false;
            self.next = Next::Over;
            return ParserStatus::Failed(error);
        }
        if self.next != Next::Over {
            return ParserStatus::Continue;
        }
        let is_tunnel = self.request.is_granted() && self.request.command == Some(CONNECT);
        self.report(out);
        if is_tunnel {
            return ParserStatus::Upgrade;
        }
        self.held.clear();
        ParserStatus::Done
    }

    fn gap(&mut self, _side: FlowSide, _len: u64, out: &mut Vec<SocksRequest>) -> ParserStatus {
        self.held.clear();
        self.report(out);
        ParserStatus::Done
    }

    fn end(&mut self, out: &mut Vec<SocksRequest>) {
        self.report(out);
    }

    fn take_remainder(&mut self, side: FlowSide) -> Option<Remainder> {
        self.held.take(side)
    }

    fn heap_bytes(&self) -> usize {
        self.held.heap_bytes() + self.request.heap_bytes()
    }

    /// Sure of a client that offers few methods, all of them known, and of a whole request of SOCKS 4.
    fn probe(side: FlowSide, start: &[u8]) -> Probe {
        match (side, start) {
            (_, []) => Probe::Maybe,
            (Initiator, [5]) => Probe::Maybe,
            (Initiator, [5, count @ 1..=4, methods @ ..]) => {
                let methods = &methods[..methods.len().min((*count).into())];
                let known = |(at, method): (usize, &u8)| {
                    matches!(method, 0..=3 | 5..=9) && !methods[..at].contains(method)
                };
                match methods.iter().enumerate().all(known) {
                    true if methods.len() == usize::from(*count) => Probe::Yes,
                    true => Probe::Maybe,
                    false => Probe::No,
                }
            }
            (Initiator, [4, rest @ ..]) if rest.first().is_none_or(|c| matches!(c, 1 | 2)) => {
                match wire::request4(start) {
                    Ok(None) => Probe::Maybe,
                    Ok(Some((((_, _, port), user), _)))
                        if port > 0 && user.iter().all(u8::is_ascii_graphic) =>
                    {
                        Probe::Yes
                    }
                    _ => Probe::No,
                }
            }
            (Responder, [5] | [5, 0..=9 | 0x80.., ..]) => Probe::Maybe,
            (Responder, [0] | [0, 90..=93, ..]) => Probe::Maybe,
            _ => Probe::No,
        }
    }
}

const NONE_NEEDED: u8 = 0;
/// RFC 1929.
const USER_AND_PASSWORD: u8 = 2;
const CONNECT: u8 = 1;
