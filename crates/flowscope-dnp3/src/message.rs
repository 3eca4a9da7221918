use std::time::Duration;

use flowscope_core::{FlowSide, Timestamp};

use crate::{Dnp3Function, Dnp3Indications};

/// A request with its response, a request that has none, or a response that nothing asked for. Sections are those of
/// IEEE 1815.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Dnp3Exchange {
    /// Time of the end of the request; without one, of the response.
    pub ts: Timestamp,
    /// Who sent the request, or would have: the side of the master.
    pub side: FlowSide,
    /// Address of the master (§9.2).
    pub master: u16,
    /// Address of the outstation; 65533 and above are all of them (§9.2).
    pub outstation: u16,
    /// The function of the request; `None` if it was not captured, or there was none.
    pub request: Option<Dnp3Function>,
    /// The function of the response; `None` if there was none.
    pub response: Option<Dnp3Function>,
    /// Header of the request.
    pub requested: Option<Dnp3Application>,
    /// Header of the response; of one in several fragments, of the first.
    pub responded: Option<Dnp3Application>,
    /// State of the outstation: of several fragments, what any of them says (§4.5).
    pub indications: Option<Dnp3Indications>,
    /// What a request is about: of one that reads the first 16, of others the first (§4.2.2).
    pub objects: Vec<Dnp3Object>,
    /// Fragments of the response.
    pub fragments: u32,
    /// From the request to the first fragment of its response.
    pub latency: Option<Duration>,
}

/// Headers of the data link and of the application.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct Dnp3Application {
    /// Control of the frame in which the fragment ends (§9.2).
    pub link: Dnp3Control,
    /// Control of the application (§4.2.2): first and final fragment, confirmation, unsolicited, and four bits of sequence.
    pub control: u8,
}

/// Control of a link frame (§9.2).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Dnp3Control(pub u8);

/// A type of objects: group and variation (§4.2.2).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Dnp3Object {
    /// The group: 1 is binary input, 12 a command, 30 analog input, 60 are classes of events.
    pub group: u8,
    /// The variation: how it is encoded.
    pub variation: u8,
}

impl Dnp3Control {
    /// Whether a master sends it.
    #[must_use]
    pub const fn is_from_master(self) -> bool {
        self.0 & 0x80 != 0
    }

    /// Whether it begins a transaction of the link.
    #[must_use]
    pub const fn is_primary(self) -> bool {
        self.0 & 0x40 != 0
    }

    /// Whether the frame carries user data, confirmed or not.
    #[must_use]
    pub const fn has_data(self) -> bool {
        self.is_primary() && matches!(self.0 & 0xf, 3 | 4)
    }
}

impl Dnp3Application {
    /// Whether it is the first fragment.
    #[must_use]
    pub const fn is_first(&self) -> bool {
        self.control & 0x80 != 0
    }

    /// Whether it is the last fragment.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        self.control & 0x40 != 0
    }

    /// Whether it wants to be confirmed.
    #[must_use]
    pub const fn wants_confirmation(&self) -> bool {
        self.control & 0x20 != 0
    }

    /// Whether it belongs to what was not asked for.
    #[must_use]
    pub const fn is_unsolicited(&self) -> bool {
        self.control & 0x10 != 0
    }

    /// The sequence number that request and response share.
    #[must_use]
    pub const fn sequence(&self) -> u8 {
        self.control & 0xf
    }
}
