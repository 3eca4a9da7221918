use std::collections::VecDeque;

use flowscope_core::Timestamp;

use crate::reply::Reply;

/// Most commands that may wait for their reply.
const MAX_OPEN: usize = 256;
/// Most replies that may wait for their command.
const MAX_EARLY: usize = 16;

/// The commands that wait for their reply, in order (RFC 2920 §3.1: replies come in the order of commands).
///
/// Of both sides, one may be delivered ahead of the other, where a side has bytes missing or its start was not
/// seen; so replies wait for commands too.
///
/// Gives up where more than 256 commands or 16 replies wait, as in a capture of one side only, or where replies
/// are missing: from then on no reply is known to belong to a command.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pairing {
    open: VecDeque<Asked>,
    early: VecDeque<Early>,
    lost: bool,
}

/// A reply that came before its command.
#[derive(Clone, Debug)]
pub(crate) struct Early {
    pub(crate) ts: Timestamp,
    pub(crate) reply: Reply,
    pub(crate) line: Vec<u8>,
}

/// What waits for a reply.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Asked {
    pub(crate) what: What,
    /// The transaction that it belongs to, if any.
    pub(crate) transaction: Option<u32>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum What {
    Mail,
    Rcpt,
    Data,
    /// The message, or the last piece of it.
    Message,
    /// A piece of a message that is not the last.
    Piece,
    StartTls,
    Auth,
    Quit,
    Other,
}

impl Pairing {
    pub(crate) fn ask(&mut self, what: What, transaction: Option<u32>) {
        if self.open.len() == MAX_OPEN {
            self.give_up();
        }
        if !self.lost {
            self.open.push_back(Asked { what, transaction });
        }
    }

    /// The next reply is to this, before all that waits.
    pub(crate) fn ask_first(&mut self, what: What, transaction: Option<u32>) {
        if !self.lost {
            self.open.push_front(Asked { what, transaction });
        }
    }

    /// What was taken for a command that is not known, and is answered next, has answered a challenge.
    pub(crate) fn first_is_credentials(&mut self) {
        if let Some(first) = self.open.front_mut().filter(|first| first.what == What::Other) {
            first.what = What::Auth;
        }
    }

    /// What a reply belongs to.
    pub(crate) fn answer(&mut self, reply: Reply) -> Option<Asked> {
        // Nothing but `DATA` is answered so: behind a start in the middle, a reply may lack.
        let is_data = |asked: &Asked| asked.what == What::Data;
        if reply.code == 354
            && let Some(at) = self.open.iter().position(is_data)
        {
            self.open.drain(..at);
        }
        self.open.pop_front()
    }

    /// Keeps a reply until its command comes.
    pub(crate) fn hold(&mut self, early: Early) {
        if self.early.len() == MAX_EARLY {
            self.give_up();
        } else {
            self.early.push_back(early);
        }
    }

    /// A command and the reply to it, which came before.
    pub(crate) fn answer_early(&mut self) -> Option<(Asked, Early)> {
        if self.open.is_empty() {
            return None;
        }
        let early = self.early.pop_front()?;
        let asked = self.answer(early.reply)?;
        Some((asked, early))
    }

    /// Whether replies are ahead of their commands.
    pub(crate) fn has_early(&self) -> bool {
        !self.early.is_empty()
    }

    /// Whether a reply to the transaction is still to come.
    pub(crate) fn waits_for(&self, transaction: u32) -> bool {
        self.open.iter().any(|asked| asked.transaction == Some(transaction))
    }

    /// Whether any reply is still to come.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.open.is_empty()
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.lost
    }

    /// Replies are not known to belong to commands any more.
    pub(crate) fn give_up(&mut self) {
        self.open = VecDeque::new();
        self.early = VecDeque::new();
        self.lost = true;
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.open.capacity() * size_of::<Asked>()
            + self.early.capacity() * size_of::<Early>()
            + self.early.iter().map(|early| early.line.capacity()).sum::<usize>()
    }
}
