//! Times that no clock shows.

use std::time::Duration;

use flowscope_core::Timestamp;

use crate::{Packet, Rng};

/// What is wrong with a time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Wrong {
    /// It lies this far back.
    Back(Duration),
    /// It lies this far ahead.
    Ahead(Duration),
    /// It is 0.
    Zero,
    /// It is that of the packet before.
    Equal,
}

impl Wrong {
    /// A selection: from one second to a century.
    pub const ALL: [Wrong; 8] = [
        Wrong::Back(Duration::from_secs(1)),
        Wrong::Back(Duration::from_secs(3600)),
        Wrong::Back(YEAR.saturating_mul(10)),
        Wrong::Ahead(Duration::from_secs(2 * 3600)),
        Wrong::Ahead(YEAR),
        Wrong::Ahead(YEAR.saturating_mul(100)),
        Wrong::Zero,
        Wrong::Equal,
    ];
}

/// 365 days.
pub const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// Makes the times of one in `n` packets wrong, never of two in a row and never the first.
pub fn wrong(
    packets: impl Iterator<Item = Packet>,
    wrong: Wrong,
    n: usize,
    seed: u64,
) -> impl Iterator<Item = Packet> {
    let mut rng = Rng::new(seed);
    let mut before: Option<(Timestamp, bool)> = None;
    packets.map(move |mut packet| {
        let ts = packet.ts;
        let hit = before.is_some_and(|(_, hit)| !hit) && rng.one_in(n);
        let last = before.map_or(ts, |(ts, _)| ts);
        before = Some((ts, hit));
        if hit {
            packet.ts = match wrong {
                Wrong::Back(by) => {
                    let nanos = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
                    Timestamp::from_nanos(ts.as_nanos().saturating_sub(nanos))
                }
                Wrong::Ahead(by) => ts.saturating_add(by),
                Wrong::Zero => Timestamp::ZERO,
                Wrong::Equal => last,
            };
        }
        packet
    })
}
