use std::collections::VecDeque;

/// Which response belongs to which request: in order, as long as nothing is missing.
///
/// A response answers the oldest request that is still unanswered. The requests that wait are held
/// here as one byte each, [`bounded`](crate::HttpConfig::max_pipelined). After a gap the number of
/// unanswered requests is known only between two bounds: all that are held, and all but the first
/// `maybe_answered`. A response is paired where one request alone can be meant.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pairing {
    waiting: VecDeque<RequestClass>,
    /// Number of the first that waits.
    first: u64,
    /// So many of the first that wait may have been answered within a gap.
    maybe_answered: usize,
    /// Requests are missing: none that comes now can be paired.
    requests_unknown: bool,
}

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

/// What a response answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Pairs {
    pub(crate) exchange: Option<u64>,
    /// The kind of request, if all that it may answer are of one kind.
    pub(crate) asked: Option<RequestClass>,
}

impl Pairing {
    /// A request was sent. Returns its number, unless it cannot be paired, and whether that is for
    /// want of room.
    pub(crate) fn request(
        &mut self,
        asked: RequestClass,
        most: usize,
        pipelining: bool,
    ) -> (Option<u64>, bool) {
        if !pipelining && (self.requests_unknown || self.maybe_answered > 0) {
            // Nobody asks again before being answered: those that wait were, within the gap.
            self.first += self.waiting.len() as u64;
            self.waiting.clear();
            (self.maybe_answered, self.requests_unknown) = (0, false);
        }
        if self.requests_unknown {
            return (None, false);
        }
        if self.waiting.len() >= most {
            self.requests_unknown = true;
            return (None, true);
        }
        self.waiting.push_back(asked);
        (Some(self.first + self.waiting.len() as u64 - 1), false)
    }

    /// A response was sent; an interim one leaves its request waiting.
    pub(crate) fn response(&mut self, interim: bool) -> Pairs {
        let waiting = self.waiting.len();
        let asked = self.waiting.front().copied();
        if self.maybe_answered == 0 && waiting > 0 {
            let exchange = Some(self.first);
            if !interim {
                self.pop();
            }
            return Pairs { exchange, asked };
        }
        // Any of the first `maybe_answered` may have been answered already, so it may answer the one behind.
        let mut candidates = self.waiting.iter().take(self.maybe_answered + 1);
        let asked = asked.filter(|asked| candidates.all(|other| other == asked));
        if !interim && waiting > 0 {
            // If one at least was unanswered for certain, one less is now. Otherwise it may have
            // answered a request that was not reported yet, since the gap it lies in is still
            // waited for.
            self.maybe_answered = self.maybe_answered.min(waiting - 1);
            self.pop();
        }
        Pairs { exchange: None, asked }
    }

    fn pop(&mut self) {
        self.waiting.pop_front();
        self.first += 1;
        if self.waiting.is_empty() && self.waiting.capacity() > 256 {
            self.waiting = VecDeque::new();
        }
    }

    /// What the next response would answer, for certain.
    pub(crate) fn next_is(&self, asked: RequestClass) -> bool {
        self.maybe_answered == 0 && self.waiting.front() == Some(&asked)
    }

    /// Bytes are missing that may have held the start of requests.
    pub(crate) fn requests_lost(&mut self) {
        self.requests_unknown = true;
    }

    /// Bytes are missing that may have held responses, to any that wait.
    pub(crate) fn responses_lost(&mut self) {
        self.maybe_answered = self.waiting.len();
    }

    /// All requests with a smaller number have been answered, or never will be for certain.
    pub(crate) fn settled_before(&self) -> u64 {
        self.first
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.waiting.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::RequestClass::{Connect, Head, Other};
    use super::*;

    fn asked(kinds: &[RequestClass]) -> Pairing {
        let mut pairing = Pairing::default();
        for (n, kind) in kinds.iter().enumerate() {
            assert_eq!(pairing.request(*kind, 100, true), (Some(n as u64), false));
        }
        pairing
    }

    fn answers(pairing: &mut Pairing, most: usize) -> Vec<Option<u64>> {
        (0..most).map(|_| pairing.response(false).exchange).collect()
    }

    #[test]
    fn responses_come_in_the_order_of_requests() {
        let mut pairing = asked(&[Other, Head, Connect]);
        assert_eq!(pairing.response(true), Pairs { exchange: Some(0), asked: Some(Other) });
        assert_eq!(pairing.response(false), Pairs { exchange: Some(0), asked: Some(Other) });
        assert_eq!(pairing.response(false), Pairs { exchange: Some(1), asked: Some(Head) });
        assert_eq!(answers(&mut pairing, 2), [Some(2), None]);
        assert_eq!(pairing.request(Other, 100, true).0, Some(3));
        assert_eq!(answers(&mut pairing, 1), [Some(3)]);
    }

    #[test]
    fn those_asked_before_missing_requests_are_still_paired() {
        let mut pairing = asked(&[Other, Other]);
        pairing.requests_lost();
        assert_eq!(pairing.request(Other, 100, true), (None, false));
        assert_eq!(answers(&mut pairing, 3), [Some(0), Some(1), None]);
    }

    #[test]
    fn after_missing_responses_none_is_paired_until_all_are_answered() {
        let mut pairing = asked(&[Other]);
        pairing.responses_lost();
        // To the request that waits, or to one within a gap that is not reported yet.
        assert_eq!(pairing.response(false), Pairs { exchange: None, asked: Some(Other) });
        // It was not, since the next request follows without a gap.
        assert_eq!(pairing.request(Other, 100, true).0, Some(1));
        assert_eq!(answers(&mut pairing, 2), [Some(1), None]);

        let mut pairing = asked(&[Other, Head]);
        pairing.responses_lost();
        assert_eq!(pairing.response(false), Pairs { exchange: None, asked: None });
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
            assert_eq!(pairing.request(Other, 100, false).0, Some(2));
            assert_eq!(answers(&mut pairing, 2), [Some(2), None]);
        }
    }

    #[test]
    fn the_bound_ends_pairing_behind_it() {
        let mut pairing = asked(&[Other, Other]);
        assert_eq!(pairing.request(Other, 2, true), (None, true));
        assert_eq!(pairing.request(Other, 2, true), (None, false));
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
                    assert_eq!(pairing.request(Other, 100, true).0, Some(asked));
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
                    let exchange = pairing.response(false).exchange;
                    assert!(exchange.is_none_or(|exchange| exchange == answered), "{code}");
                    pairs += u32::from(exchange.is_some());
                }
                answered += 1;
            }
        }
        assert!(pairs > 10_000, "{pairs}");
    }
}
