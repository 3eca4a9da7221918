//! What shows that a connection is in lockstep: one request, its response, the next request.

use crate::pairing::RequestClass;

/// An exchange that looks like one in lockstep. Pairing resumes when the next one looks alike.
///
/// The request begins when all that the server sent so far was received, between two responses. The
/// response begins at the very next byte, and acknowledges the request. That alone does not show that they
/// belong together: a request before them, of which nothing was seen, may have been unanswered. Its
/// response then leaves another one for the request. That comes before the next request does, or does not
/// acknowledge the next request.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Trial {
    /// None is going on.
    #[default]
    None,
    /// The request was sent.
    Asked {
        exchange: u64,
        class: RequestClass,
        /// Where its head ends.
        end: u64,
        /// Where its response has to begin.
        answer_at: u64,
        /// The exchange before it, which looked like one in lockstep.
        before: Option<LatePair>,
    },
    /// The head of the response was sent.
    Answering(LatePair),
    /// The response is over.
    Answered(LatePair),
}

/// A request, by its number, and the response to it, by its place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct LatePair {
    pub(crate) exchange: u64,
    pub(crate) response: u64,
}

impl Trial {
    /// Whether this request takes part in it.
    pub(crate) fn is_of(self, exchange: u64) -> bool {
        match self {
            Trial::None => false,
            Trial::Asked { exchange: asked, before, .. } => {
                asked == exchange || before.is_some_and(|pair| pair.exchange == exchange)
            }
            Trial::Answering(pair) | Trial::Answered(pair) => pair.exchange == exchange,
        }
    }

    /// Whether the request has no response yet, or only a part of one.
    pub(crate) fn is_open(self) -> bool {
        matches!(self, Trial::Asked { .. } | Trial::Answering(_))
    }

    /// A response begins.
    pub(crate) fn response(&mut self, seen: ResponseSeen) -> Verdict {
        let Trial::Asked { exchange, class, end, answer_at, before } = *self else {
            *self = Trial::None;
            return Verdict::Failed;
        };
        if seen.at != answer_at || seen.acked.is_none_or(|acked| acked < end) {
            *self = Trial::None;
            return Verdict::Failed;
        }
        if let Some(before) = before {
            return Verdict::Lockstep { exchange, class, before };
        }
        if !seen.interim {
            *self = Trial::Answering(LatePair { exchange, response: seen.at });
        }
        Verdict::Open(class)
    }

    /// A response ends at `at`; `complete`: where its framing says.
    pub(crate) fn response_end(&mut self, at: u64, complete: bool) {
        *self = match *self {
            _ if !complete => Trial::None,
            Trial::Answering(pair) => Trial::Answered(pair),
            // It was an interim one.
            Trial::Asked { exchange, class, end, before, .. } => {
                Trial::Asked { exchange, class, end, answer_at: at, before }
            }
            other => other,
        };
    }

    /// The latest request and response that are both over.
    pub(crate) fn answered(self) -> Option<LatePair> {
        match self {
            Trial::Answered(pair) => Some(pair),
            Trial::Asked { before, .. } => before,
            Trial::None | Trial::Answering(_) => None,
        }
    }
}

/// What a response says of a trial.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    /// The connection is not in lockstep, or nothing was tried.
    Failed,
    /// It may answer the request, which is of this kind.
    Open(RequestClass),
    /// It answers this request, and the exchange before it is a pair too.
    Lockstep { exchange: u64, class: RequestClass, before: LatePair },
}

/// What is known of a request that begins, beside what it asks.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RequestSeen {
    /// Where it begins.
    pub(crate) at: u64,
    /// Where its head ends.
    pub(crate) end: u64,
    /// Up to where its sender had received the other side.
    pub(crate) acked: Option<u64>,
    /// Where the other side stands.
    pub(crate) other: u64,
    /// Whether its sender had received all that the other side had sent, which stands between two
    /// responses; `None` if that is not known.
    pub(crate) idle: Option<bool>,
}

/// What is known of a response that begins.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ResponseSeen {
    pub(crate) interim: bool,
    /// Where it begins.
    pub(crate) at: u64,
    /// Up to where its sender had received the other side.
    pub(crate) acked: Option<u64>,
}
