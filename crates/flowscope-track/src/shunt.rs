//! Flows whose ordinary packets the capture counts, without passing them on.

use std::fmt;

use flowscope_core::{ShuntStart, Shunted};

/// Counts packets of flows in place of a flow table: a capture with a program in the kernel.
///
/// Between [`start`](Self::start) and [`take`](Self::take) it may keep back a packet of the flow, and count it, only
/// if the flow table would do nothing with it but count: a UDP packet; a TCP segment without flags but ACK and PSH,
/// in sequence, with a window that is not zero, and with an acknowledgement of what the other side has sent that does
/// not go back.
/// Also TTL, idle time and [`ShuntStart::until`] must fit. Every other packet of the flow is passed on, and so are
/// all packets after it: the flow has come back.
///
/// Packets that were captured and not tracked when `start` was called are ahead of what the table knows. Therefore
/// it passes packets of a TCP flow on until it has seen a segment of each side, and counts those that continue
/// there.
pub trait Shunt<K> {
    /// Begins to count packets of a flow.
    ///
    /// # Errors
    ///
    /// [`ShuntRefusal`]: no room, or a key that it does not know how to find in packets. The flow goes on as before.
    fn start(&mut self, key: &K, start: &ShuntStart) -> Result<(), ShuntRefusal>;

    /// What was counted of a flow since `start`; `None` if the flow is not known.
    fn peek(&mut self, key: &K) -> Option<Shunted>;

    /// Ends the counting; as [`peek`](Self::peek), for the last time.
    fn take(&mut self, key: &K) -> Option<Shunted>;
}

/// Which flows a [`Shunt`] counts.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Shunting {
    /// Those that [`FlowTable::shunt`](crate::FlowTable::shunt) is called for.
    #[default]
    Verdict,
    /// Also every TCP flow once it is established and [not read](crate::FlowSink::may_shunt). Packets of flows that
    /// are read take the slow path of the table.
    Established,
}

/// Why a flow is not shunted. It goes on as before.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ShuntRefusal {
    /// The capture does not offer it.
    NotOffered,
    /// There is no such flow.
    NoFlow,
    /// It is shunted already.
    Already,
    /// A TCP flow that is not established in both directions, is closing, or has just lost packets; or a UDP flow of
    /// which nothing was seen. Ask again later.
    NotSteady,
    /// Neither TCP nor UDP, or in a tunnel: the capture cannot match its packets.
    NotFound,
    /// Checksums are verified, which the capture does not do.
    Checksums,
    /// The map of the capture is full, or the memory for flows that are shunted is used up.
    Full,
    /// The kernel refused.
    Failed,
}

impl fmt::Display for ShuntRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ShuntRefusal::NotOffered => {
                "the capture cannot shunt: open it with AF_XDP or AF_PACKET and shunting on"
            }
            ShuntRefusal::NoFlow => "there is no such flow",
            ShuntRefusal::Already => "the flow is shunted already",
            ShuntRefusal::NotSteady => {
                "the flow is not established in both directions, is closing, or lacks packets"
            }
            ShuntRefusal::NotFound => {
                "the capture cannot find packets of this flow: only plain TCP and UDP can be shunted"
            }
            ShuntRefusal::Checksums => {
                "checksums are verified, which a capture cannot do for the packets that it counts"
            }
            ShuntRefusal::Full => "the map of shunted flows is full",
            ShuntRefusal::Failed => "the kernel refused to shunt the flow",
        })
    }
}

impl std::error::Error for ShuntRefusal {}
