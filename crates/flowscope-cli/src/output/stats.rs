use flowscope::core::{Ledger, Timestamp};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::eve::json_line;
use crate::text::{Short, rfc3339};

/// What a whole run amounted to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Totals {
    /// Where every packet went.
    pub(crate) packets: Ledger,
    /// Where the payload of the tracked ones went.
    pub(crate) bytes: Ledger,
    /// What the capture says of itself.
    pub(crate) capture: Capture,
    /// Flows started.
    pub(crate) flows: u64,
    /// Bytes on the wire of all packets.
    pub(crate) wire_bytes: u64,
    /// The latest believable packet time.
    pub(crate) end: Timestamp,
}

/// What lies before the ledgers, or beside them. Zeros are left out.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Capture {
    /// Packets that interfaces dropped for want of room, as the files say.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) interface_drop: u64,
    /// Packets that operating systems dropped, as the files say.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) os_drop: u64,
    /// Packets whose time lay behind one before.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) clock_backwards: u64,
    /// Jumps ahead by more than an hour.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) clock_jumps: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

impl Capture {
    fn is_empty(&self) -> bool {
        let Capture { interface_drop, os_drop, clock_backwards, clock_jumps } = self;
        [interface_drop, os_drop, clock_backwards, clock_jumps].into_iter().all(is_zero)
    }
}

impl Totals {
    /// Whether anything was lost for want of room.
    pub(crate) fn lacked_room(&self) -> bool {
        let lost = |ledger: &Ledger| ledger.losses().any(|(cause, _)| cause.is_for_want_of_room());
        lost(&self.packets) || lost(&self.bytes)
    }

    /// How much it was, in one line.
    pub(crate) fn summary(&self) -> String {
        format!(
            "{}, {}, {}",
            count(self.flows, "flow"),
            count(self.packets.seen(), "packet"),
            count(self.wire_bytes, "byte")
        )
    }

    /// What was not seen, in one line, if anything.
    pub(crate) fn not_seen(&self) -> Option<String> {
        let Capture { interface_drop, os_drop, .. } = self.capture;
        let dropped = [("interface_drop", interface_drop), ("os_drop", os_drop)];
        let lost = self.packets.losses().map(|(cause, n)| (cause.slug(), n));
        let parts: Vec<_> = lost
            .chain(dropped)
            .filter(|(_, n)| *n > 0)
            .map(|(slug, n)| format!("{} {slug}", count(n, "packet")))
            .collect();
        (!parts.is_empty()).then(|| format!("not seen: {}", parts.join(", ")))
    }
}

fn count(n: u64, of: &str) -> String {
    if n == 1 { format!("1 {of}") } else { format!("{n} {of}s") }
}

/// Appends the statistics as the last line of JSON output.
pub(super) fn write(totals: &Totals, out: &mut Vec<u8>) {
    #[derive(Serialize)]
    struct Line<'a> {
        timestamp: Short<32>,
        event_type: &'static str,
        stats: Stats<'a>,
    }
    #[derive(Serialize)]
    struct Stats<'a> {
        packets: Book<'a>,
        bytes: Book<'a>,
        #[serde(skip_serializing_if = "Capture::is_empty")]
        capture: &'a Capture,
    }
    json_line(
        &Line {
            timestamp: rfc3339(totals.end),
            event_type: "stats",
            stats: Stats {
                packets: Book { ledger: &totals.packets, delivered: "tracked" },
                bytes: Book { ledger: &totals.bytes, delivered: "delivered" },
                capture: &totals.capture,
            },
        },
        out,
    );
}

/// A ledger as an object: `seen` is the sum of the others.
struct Book<'a> {
    ledger: &'a Ledger,
    delivered: &'static str,
}

impl Serialize for Book<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("seen", &self.ledger.seen())?;
        map.serialize_entry(self.delivered, &self.ledger.delivered())?;
        for (cause, n) in self.ledger.losses() {
            map.serialize_entry(cause.slug(), &n)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use flowscope::core::Loss;

    use super::*;

    #[test]
    fn losses_are_named_and_nothing_is_said_of_none() {
        let mut totals = Totals::default();
        totals.packets.deliver(1);
        assert_eq!(totals.not_seen(), None);
        assert_eq!(totals.summary(), "0 flows, 1 packet, 0 bytes");
        totals.packets.lose(Loss::NotAFlow, 3);
        totals.packets.lose(Loss::FileTruncated, 1);
        totals.capture.os_drop = 7;
        let expected = "not seen: 1 packet file_truncated, 3 packets not_a_flow, 7 packets os_drop";
        assert_eq!(totals.not_seen().as_deref(), Some(expected));
        assert!(!totals.lacked_room());
    }
}
