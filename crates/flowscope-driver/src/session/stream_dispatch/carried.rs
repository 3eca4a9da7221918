//! Streams that the streams of a flow carry: what a parser has decrypted goes to the parser of another protocol.
//!
//! They have a [`Reading`](super::Reading) of their own, which is driven as that of the flow is: the protocol is
//! detected, may be followed by another one, and may carry one itself. Ports say nothing of it. The ledger counts the
//! payload of the flow, which the outer parser has been fed, so nothing that happens here changes it.

use flowscope_core::{FlowSide, Loss, ParserStatus, StreamChunk, StreamSink};
use flowscope_session::{Delivery, StreamEnd, StreamPosition};

use super::{SessionDelivery, StreamDispatch};
use crate::detection::Classifier;
use crate::session::SessionSink;
use crate::session::flow_sink::ParserHost;
use crate::session::slot::{Carrier, Reader, SIDES};

/// Streams within each other are followed this deep: a peer that nests them for ever costs no more.
const MAX_DEPTH: u8 = 4;

impl<K, C, U, O> SessionDelivery<'_, K, C, U, O>
where
    C: Classifier<K>,
    O: SessionSink<K, C::Message, U>,
{
    /// Feeds a parser whose streams carry others.
    #[cold]
    #[inline(never)]
    pub(super) fn feed_carrier(
        &mut self,
        at: StreamPosition,
        bytes: &[u8],
        acked: Option<u64>,
        mid_stream: bool,
    ) -> ParserStatus {
        let StreamPosition { side, ts, offset } = at;
        let chunk = StreamChunk { side, ts, offset, bytes, acked, mid_stream };
        let Reader::Carries(carrier) = &mut *self.reader else { return ParserStatus::Continue };
        self.host.ledger.deliver(chunk.bytes.len() as u64);
        if chunk.offset >= self.progress.shown[chunk.side.index()] {
            let status = self.out.bytes(self.flow.reborrow(), chunk);
            if status != ParserStatus::Continue {
                return status;
            }
        }
        let ParserHost { classifier, messages, .. } = &mut *self.host;
        let status = classifier.feed(&mut carrier.outer, chunk, messages);
        self.emit(chunk.side);
        status
    }

    /// Passes on what the parser has of the streams that its own carry. Returns for each side why its
    /// carried stream is no longer read, if so; `None` if carried streams are not read here.
    pub(super) fn carry_on(
        &mut self,
        at: StreamPosition,
        name: Option<&'static str>,
    ) -> Option<[Option<Loss>; 2]> {
        let depth = self.progress.depth + 1;
        if depth > MAX_DEPTH || !self.host.classifier.upgrades() {
            return None;
        }
        if let Reader::Reads(_) = &*self.reader
            && let Reader::Reads(parser) = std::mem::replace(self.reader, Reader::Over)
        {
            let carrier = Carrier::new(parser, self.progress.detection, name, depth);
            *self.reader = Reader::Carries(Box::new(carrier));
        }
        self.drain_carrier(at);
        let Reader::Carries(carrier) = &*self.reader else { return None };
        Some(SIDES.map(|side| carrier.inner.state.loss(side)))
    }

    /// Informs the parser of an end, and then those who read what its streams carry.
    #[cold]
    pub(super) fn notify_carrier(&mut self, at: StreamPosition, end: StreamEnd) {
        let Reader::Carries(carrier) = &mut *self.reader else { return };
        let ParserHost { classifier, messages, .. } = &mut *self.host;
        classifier.notify(&mut carrier.outer, end, messages);
        self.emit(at.side);
        self.drain_carrier(at);
        self.notify_inner(at, end);
    }

    /// Passes on what a parser that has carried nothing so far has held back until its end.
    #[cold]
    #[inline(never)]
    pub(super) fn carry_rest(&mut self, at: StreamPosition) {
        let Reader::Reads(parser) = &*self.reader else { return };
        let ParserStatus::Carries(name) = self.host.classifier.end_status(parser) else { return };
        // There is no chunk at hand: the bytes of the initiator come first.
        let last = StreamPosition { side: FlowSide::Responder, ..at };
        if self.carry_on(last, name).is_some() {
            self.notify_inner(at, StreamEnd::End);
        }
    }

    /// Informs those who read what the parser's streams carry of an end.
    fn notify_inner(&mut self, at: StreamPosition, end: StreamEnd) {
        let Reader::Carries(carrier) = &mut *self.reader else { return };
        let ledger = self.host.ledger.clone();
        let mut inner = StreamDispatch::new(
            self.host,
            self.out,
            &mut carrier.inner,
            self.flow.reborrow(),
            at.side,
            at.ts,
        );
        match end {
            StreamEnd::Fin(_) => inner.state.fin(at, &mut inner.to),
            StreamEnd::Rst(_) => {
                inner.decide_now();
                if inner.state.over().is_none() {
                    inner.to.notify(at, end);
                }
            }
            StreamEnd::End => {
                inner.decide_now();
                inner.state.end(at, None, &mut inner.to);
            }
        }
        self.host.ledger = ledger;
    }

    /// Passes on the bytes that the parser has ready, first those of the other side: they were there before the chunk
    /// at hand.
    fn drain_carrier(&mut self, at: StreamPosition) {
        let Reader::Carries(carrier) = &mut *self.reader else { return };
        let Carrier { outer, inner, next } = &mut **carrier;
        let ledger = self.host.ledger.clone();
        for side in [!at.side, at.side] {
            while let Some(left) = self.host.classifier.take_remainder(outer, side) {
                let next = &mut next[side.index()];
                let missing = left.offset.saturating_sub(*next);
                let flow = self.flow.reborrow();
                let mut dispatch =
                    StreamDispatch::new(self.host, self.out, inner, flow, side, at.ts);
                if missing > 0 {
                    dispatch.skip_carried(*next, missing);
                }
                if !left.bytes.is_empty() {
                    dispatch.bytes(left.offset, &left.bytes);
                }
                *next = left.offset.saturating_add(left.bytes.len() as u64);
            }
        }
        self.host.ledger = ledger;
    }
}

impl<K, C, U, O> StreamDispatch<'_, K, C, U, O>
where
    C: Classifier<K>,
    O: SessionSink<K, C::Message, U>,
{
    /// Passes over bytes that are missing. The gap of the flow that they are in was reported.
    fn skip_carried(&mut self, at: u64, len: u64) {
        if let Reader::Undecided(buffer) = &mut *self.to.reader {
            if buffer.bytes(self.side).is_empty() {
                return buffer.add_gap(self.side, len);
            }
            self.decide(0, &[], None, true);
        }
        self.state.skip(self.at(at), len, &mut self.to);
    }
}
