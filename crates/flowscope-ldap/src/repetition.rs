//! Requests that are sent again over UDP, and what answers them.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use flowscope_core::{FlowSide, Timestamp};

/// Requests that are remembered.
const MAX_REQUESTS: usize = 64;
/// How long after its result a request may still come again: it was sent before its sender had the result, or the
/// result was lost.
const MAX_AGE: Duration = Duration::from_secs(5);

/// The latest requests, oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Repetitions {
    requests: VecDeque<Request>,
}

#[derive(Clone, Copy, Debug)]
struct Request {
    side: FlowSide,
    id: i32,
    /// Of its bytes, which are not kept.
    hash: u64,
    answered: Option<Timestamp>,
    /// Times it came again, whose results are still to come.
    repeated: u32,
}

impl Repetitions {
    /// A request with these bytes. Whether it is an earlier one that comes again.
    pub(crate) fn request(&mut self, side: FlowSide, id: i32, ts: Timestamp, bytes: &[u8]) -> bool {
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        let hash = hasher.finish();
        let is_of = |request: &Request| request.side == side && request.id == id;
        if let Some(at) = self.requests.iter().position(is_of) {
            let request = &mut self.requests[at];
            let is_recent = request.answered.is_none_or(|answered| ts.since(answered) <= MAX_AGE);
            if request.hash == hash && is_recent {
                request.repeated = request.repeated.saturating_add(1);
                return true;
            }
            self.requests.remove(at);
        }
        if self.requests.len() == MAX_REQUESTS {
            self.requests.pop_front();
        }
        self.requests.push_back(Request { side, id, hash, answered: None, repeated: 0 });
        false
    }

    /// A result that `side` sent. Whether it answers a request that came again, after the first of them was answered.
    pub(crate) fn result(&mut self, side: FlowSide, id: i32, ts: Timestamp) -> bool {
        let is_of = |request: &&mut Request| request.side != side && request.id == id;
        let Some(request) = self.requests.iter_mut().find(is_of) else { return false };
        if request.answered.is_none() {
            request.answered = Some(ts);
            return false;
        }
        let is_repeated = request.repeated > 0;
        request.repeated = request.repeated.saturating_sub(1);
        is_repeated
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.requests.capacity() * size_of::<Request>()
    }
}
