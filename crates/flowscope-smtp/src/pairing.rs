use std::collections::VecDeque;

/// Most commands that may wait for their reply.
const MAX_OPEN: usize = 256;

/// The commands that wait for their reply, in order (RFC 2920 §3.1: replies come in the order of commands).
///
/// Gives up where more than 256 commands wait, as in a capture of one side only, or where replies are
/// missing: from then on no reply is known to belong to a command.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pairing {
    open: VecDeque<Asked>,
    lost: bool,
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
    pub(crate) fn answer(&mut self) -> Option<Asked> {
        self.open.pop_front()
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
        self.lost = true;
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.open.capacity() * size_of::<Asked>()
    }
}
