use std::collections::VecDeque;

use crate::lockstep::{LatePair, RequestSeen, ResponseSeen, Trial, Verdict};

/// Which response belongs to which request: in order, as long as nothing is missing.
///
/// A response answers the oldest request that is still unanswered. The requests that wait are held
/// here as 4 bytes each, [`bounded`](crate::HttpConfig::max_pipelined). After a gap the number of
/// unanswered requests is known only between two bounds: all that are held, and all but the first
/// `maybe_answered`. A response is paired where one request alone can be meant, or when a
/// [trial](Trial) has shown that the connection is in lockstep.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pairing {
    waiting: VecDeque<Waiting>,
    /// Number of the first that waits.
    first: u64,
    /// Number of the next request that has one.
    next: u64,
    /// So many of the first that wait may have been answered within a gap.
    maybe_answered: usize,
    /// Requests are missing: none that comes now can be paired by order.
    requests_unknown: bool,
    /// Pairing was lost and has been resumed.
    resumed: bool,
    /// The client was seen to send a request before the response to the one before was over.
    pipelined: bool,
    trial: Trial,
    /// Where the latest response without a request begins, if it is not known what its sender had
    /// received.
    orphan: Option<u64>,
}

/// A request without a response: its kind in the upper two bits, below them where it begins in its side's
/// stream, modulo 2^30. What is unacknowledged is far less than half of that.
#[derive(Clone, Copy, Debug)]
struct Waiting(u32);

/// What of a request decides how its response is framed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum RequestClass {
    /// Anything not below.
    Other,
    /// `HEAD`: no body follows the head of the response.
    Head,
    /// `CONNECT`: a `2xx` begins a tunnel.
    Connect,
    /// HTTP/0.9: the response has no head.
    Simple,
}

impl Waiting {
    const AT: u32 = (1 << 30) - 1;

    fn new(at: u64, class: RequestClass) -> Self {
        Waiting(at as u32 & Waiting::AT | (class as u32) << 30)
    }

    fn class(self) -> RequestClass {
        match self.0 >> 30 {
            0 => RequestClass::Other,
            1 => RequestClass::Head,
            2 => RequestClass::Connect,
            _ => RequestClass::Simple,
        }
    }

    /// Whether who has received everything before `acked` has received some of it.
    fn is_acked(self, acked: u64) -> bool {
        let ahead = (acked as u32).wrapping_sub(self.0) & Waiting::AT;
        ahead != 0 && ahead <= Waiting::AT / 2
    }
}

/// What a request is called.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Asked {
    /// Its number, unless it cannot be paired.
    pub(crate) exchange: Option<u64>,
    /// It has no number for want of room.
    pub(crate) full: bool,
}

/// What a response answers.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Pairs {
    pub(crate) exchange: Option<u64>,
    /// The kind of request, if all that it may answer are of one kind.
    pub(crate) asked: Option<RequestClass>,
    /// It is paired since pairing was resumed.
    pub(crate) resumed: bool,
    /// It shows that these two, before it, belong together.
    pub(crate) before: Option<LatePair>,
}

impl Pairing {
    /// A request was sent.
    pub(crate) fn request(
        &mut self,
        class: RequestClass,
        most: usize,
        pipelining: bool,
        seen: RequestSeen,
    ) -> Asked {
        if self.orphan.take().is_some_and(|at| seen.acked.is_some_and(|acked| acked <= at)) {
            // It was sent before that response was received, and may be what that answers.
            self.requests_unknown = true;
        }
        let outstanding = self.waiting.len() > self.maybe_answered || self.trial.is_open();
        let idle = seen.idle.map(|idle| idle && !outstanding);
        if idle == Some(false) {
            self.pipelined = true;
            if self.resumed && pipelining {
                // What showed the lockstep may have been pipelining as well.
                self.lose_order();
            }
        }
        let mut trial = Trial::None;
        if self.is_uncertain() {
            if !pipelining {
                // Nobody asks again before being answered: those that wait were, within the gap.
                self.resume();
            } else if idle == Some(true) && !self.pipelined {
                trial = Trial::Asked {
                    exchange: self.next,
                    class,
                    end: seen.end,
                    answer_at: seen.other,
                    before: self.trial.answered(),
                };
            }
        }
        self.trial = trial;
        if self.requests_unknown {
            let tried = self.trial != Trial::None;
            self.next += u64::from(tried);
            return Asked { exchange: tried.then(|| self.next - 1), full: false };
        }
        if self.waiting.len() >= most {
            self.requests_unknown = true;
            self.trial = Trial::None;
            return Asked { exchange: None, full: true };
        }
        self.waiting.push_back(Waiting::new(seen.at, class));
        self.next += 1;
        Asked { exchange: Some(self.next - 1), full: false }
    }

    /// A response was sent; an interim one leaves its request waiting.
    pub(crate) fn response(&mut self, seen: ResponseSeen) -> Pairs {
        if self.maybe_answered > 0 || self.requests_unknown && self.waiting.is_empty() {
            // A second response to one request: another one had waited longer.
            self.pipelined |= matches!(self.trial, Trial::Answering(_) | Trial::Answered(_));
            return match self.trial.response(seen) {
                Verdict::Failed => {
                    let asked = self.response_after_loss(seen.interim);
                    Pairs { asked, ..Pairs::default() }
                }
                Verdict::Open(class) => {
                    self.response_after_loss(seen.interim);
                    Pairs { asked: Some(class), ..Pairs::default() }
                }
                Verdict::Lockstep { exchange, class, before } => {
                    self.resume();
                    if seen.interim {
                        self.wait_again(exchange, class, seen);
                    }
                    Pairs {
                        exchange: Some(exchange),
                        asked: Some(class),
                        resumed: true,
                        before: Some(before),
                    }
                }
            };
        }
        let Some(first) = self.waiting.front().copied() else {
            if self.resumed {
                // What showed the lockstep was pipelining.
                self.pipelined = true;
                self.lose_order();
            } else if seen.acked.is_none() {
                self.orphan = Some(seen.at);
            }
            return Pairs::default();
        };
        if seen.acked.is_some_and(|acked| !first.is_acked(acked)) {
            // Its sender had not received the request: it answers none that is known.
            if self.resumed {
                self.pipelined = true;
                self.lose_order();
            }
            return Pairs::default();
        }
        let exchange = Some(self.first);
        if !seen.interim {
            self.pop();
        }
        Pairs { exchange, asked: Some(first.class()), resumed: self.resumed, before: None }
    }

    /// A response comes while it is not known which requests are unanswered.
    fn response_after_loss(&mut self, interim: bool) -> Option<RequestClass> {
        let waiting = self.waiting.len();
        let asked = self.waiting.front().map(|first| first.class());
        // Any of the first `maybe_answered` may have been answered already, so it may answer the one behind.
        let mut candidates = self.waiting.iter().take(self.maybe_answered + 1);
        let asked = asked.filter(|asked| candidates.all(|other| other.class() == *asked));
        if !interim && waiting > 0 {
            // If one at least was unanswered for certain, one less is now. Otherwise it may have
            // answered a request that was not reported yet, since the gap it lies in is still
            // waited for.
            self.maybe_answered = self.maybe_answered.min(waiting - 1);
            self.pop();
        }
        asked
    }

    /// A response ends at `at`; `complete`: where its framing says.
    pub(crate) fn response_end(&mut self, at: u64, complete: bool) {
        self.trial.response_end(at, complete);
    }

    /// Nothing follows a response that is over: the trial, if any, has shown what it can.
    pub(crate) fn take_answered(&mut self) -> Option<LatePair> {
        let pair = self.trial.answered()?;
        match &mut self.trial {
            Trial::Asked { before, .. } => *before = None,
            trial => *trial = Trial::None,
        }
        Some(pair)
    }

    /// A response begins a tunnel, which only the request that asks for one does.
    pub(crate) fn take_tunnel(&mut self) -> Option<LatePair> {
        let (Trial::Answering(pair) | Trial::Answered(pair)) = self.trial else { return None };
        self.trial = Trial::None;
        Some(pair)
    }

    /// The client sent a request before the response to the one before was over.
    pub(crate) fn is_pipelined(&mut self) {
        self.pipelined = true;
        self.trial = Trial::None;
    }

    /// The flow ends: a response that was not shown to answer its request never will be.
    pub(crate) fn end(&mut self) {
        if !matches!(self.trial, Trial::Asked { .. }) {
            self.trial = Trial::None;
        }
    }

    fn pop(&mut self) {
        self.waiting.pop_front();
        self.first += 1;
        if self.waiting.is_empty() && self.waiting.capacity() > 64 {
            self.waiting = VecDeque::new();
        }
    }

    /// All requests so far were answered, and it is known that the next are seen.
    fn resume(&mut self) {
        self.waiting.clear();
        self.first = self.next;
        (self.maybe_answered, self.requests_unknown) = (0, false);
        self.trial = Trial::None;
        self.resumed = true;
    }

    /// The latest request waits for a response, after an interim one.
    fn wait_again(&mut self, exchange: u64, class: RequestClass, seen: ResponseSeen) {
        // What acknowledged the request says where it began, near enough.
        let at = seen.acked.map_or(0, |acked| acked.saturating_sub(1));
        self.first = exchange;
        self.waiting.push_back(Waiting::new(at, class));
    }

    /// It is not known any more which requests are unanswered.
    fn lose_order(&mut self) {
        self.requests_lost();
        self.responses_lost();
    }

    /// Whether the requests that wait are perhaps not those that are unanswered.
    fn is_uncertain(&self) -> bool {
        self.requests_unknown || self.maybe_answered > 0
    }

    /// What the next response would answer, for certain.
    pub(crate) fn next_is(&self, asked: RequestClass) -> bool {
        self.maybe_answered == 0 && self.waiting.front().is_some_and(|first| first.class() == asked)
    }

    /// Bytes are missing that may have held the start of requests.
    pub(crate) fn requests_lost(&mut self) {
        self.requests_unknown = true;
        self.trial = Trial::None;
    }

    /// Bytes are missing that may have held responses, to any that wait.
    pub(crate) fn responses_lost(&mut self) {
        self.responses_begin_late();
        self.trial = Trial::None;
    }

    /// The first response that is seen may not be the first that was sent.
    pub(crate) fn responses_begin_late(&mut self) {
        self.maybe_answered = self.waiting.len();
    }

    /// Whether a response that comes now, or a trial, may be paired with this request.
    pub(crate) fn may_pair(&self, exchange: u64) -> bool {
        let at = exchange.checked_sub(self.first);
        at.is_some_and(|at| at < self.waiting.len() as u64) || self.trial.is_of(exchange)
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.waiting.capacity() * size_of::<Waiting>()
    }
}

#[cfg(test)]
mod tests {
    use super::RequestClass::{Connect, Head, Other};
    use super::*;

    /// A request and a response of which no place or acknowledgement is known.
    fn ask(pairing: &mut Pairing, class: RequestClass, most: usize) -> (Option<u64>, bool) {
        let asked = pairing.request(class, most, true, RequestSeen::default());
        (asked.exchange, asked.full)
    }

    fn answer(pairing: &mut Pairing, interim: bool) -> Pairs {
        pairing.response(ResponseSeen { interim, ..ResponseSeen::default() })
    }

    fn pairs(exchange: Option<u64>, asked: Option<RequestClass>) -> Pairs {
        Pairs { exchange, asked, ..Pairs::default() }
    }

    fn asked(kinds: &[RequestClass]) -> Pairing {
        let mut pairing = Pairing::default();
        for (n, kind) in kinds.iter().enumerate() {
            assert_eq!(ask(&mut pairing, *kind, 100), (Some(n as u64), false));
        }
        pairing
    }

    fn answers(pairing: &mut Pairing, most: usize) -> Vec<Option<u64>> {
        (0..most).map(|_| answer(pairing, false).exchange).collect()
    }

    #[test]
    fn responses_come_in_the_order_of_requests() {
        let mut pairing = asked(&[Other, Head, Connect]);
        assert_eq!(answer(&mut pairing, true), pairs(Some(0), Some(Other)));
        assert_eq!(answer(&mut pairing, false), pairs(Some(0), Some(Other)));
        assert_eq!(answer(&mut pairing, false), pairs(Some(1), Some(Head)));
        assert_eq!(answers(&mut pairing, 2), [Some(2), None]);
        assert_eq!(ask(&mut pairing, Other, 100).0, Some(3));
        assert_eq!(answers(&mut pairing, 1), [Some(3)]);
    }

    #[test]
    fn those_asked_before_missing_requests_are_still_paired() {
        let mut pairing = asked(&[Other, Other]);
        pairing.requests_lost();
        assert_eq!(ask(&mut pairing, Other, 100), (None, false));
        assert_eq!(answers(&mut pairing, 3), [Some(0), Some(1), None]);
    }

    #[test]
    fn after_missing_responses_none_is_paired_until_all_are_answered() {
        let mut pairing = asked(&[Other]);
        pairing.responses_lost();
        // To the request that waits, or to one within a gap that is not reported yet.
        assert_eq!(answer(&mut pairing, false), pairs(None, Some(Other)));
        // It was not, since the next request follows without a gap.
        assert_eq!(ask(&mut pairing, Other, 100).0, Some(1));
        assert_eq!(answers(&mut pairing, 2), [Some(1), None]);

        let mut pairing = asked(&[Other, Head]);
        pairing.responses_lost();
        assert_eq!(answer(&mut pairing, false), pairs(None, None));
        assert_eq!(answers(&mut pairing, 1), [None]);
    }

    #[test]
    fn missing_responses_and_requests_leave_no_certainty() {
        let mut pairing = asked(&[Other]);
        pairing.responses_lost();
        pairing.requests_lost();
        assert_eq!(answers(&mut pairing, 2), [None, None]);
    }

    #[test]
    fn without_pipelining_the_next_request_makes_all_certain() {
        for lost in [Pairing::requests_lost, Pairing::responses_lost] {
            let mut pairing = asked(&[Other, Other]);
            lost(&mut pairing);
            let third = pairing.request(Other, 100, false, RequestSeen::default());
            assert_eq!(third.exchange, Some(2));
            assert_eq!(answers(&mut pairing, 2), [Some(2), None]);
        }
    }

    #[test]
    fn the_bound_ends_pairing_behind_it() {
        let mut pairing = asked(&[Other, Other]);
        assert_eq!(ask(&mut pairing, Other, 2), (None, true));
        assert_eq!(ask(&mut pairing, Other, 2), (None, false));
        assert_eq!(answers(&mut pairing, 3), [Some(0), Some(1), None]);
    }

    /// A request, a response, a response that is never seen.
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Sent {
        Request,
        Response,
        Hidden,
    }

    /// Every short history: a response that is given a number is the one of that request.
    #[test]
    fn no_history_of_missing_responses_makes_a_wrong_pair() {
        use Sent::{Hidden, Request, Response};
        const LEN: u32 = 10;
        let mut pairs = 0;
        for code in 0..3_u32.pow(LEN) {
            let history =
                (0..LEN).map(|n| [Request, Response, Hidden][(code / 3_u32.pow(n) % 3) as usize]);
            let mut pairing = Pairing::default();
            let (mut asked, mut answered, mut gap) = (0, 0, false);
            for sent in history {
                if sent == Request {
                    assert_eq!(ask(&mut pairing, Other, 100).0, Some(asked));
                    asked += 1;
                    continue;
                }
                if answered == asked {
                    break;
                }
                // A gap is reported when the bytes behind it arrive.
                if gap && sent == Response {
                    pairing.responses_lost();
                }
                gap = sent == Hidden;
                if sent == Response {
                    let exchange = answer(&mut pairing, false).exchange;
                    assert!(exchange.is_none_or(|exchange| exchange == answered), "{code}");
                    pairs += u32::from(exchange.is_some());
                }
                answered += 1;
            }
        }
        assert!(pairs > 10_000, "{pairs}");
    }
}
