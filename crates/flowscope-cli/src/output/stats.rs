#[cfg(all(feature = "live", target_os = "linux"))]
use std::io::{self, Write as _};

use flowscope::core::{Ledger, Loss, Timestamp, UnreadHeaders};

use flowscope::output::{CaptureStats, EveFormat};

/// What a whole run amounted to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Totals {
    /// Where every packet went.
    pub(crate) packets: Ledger,
    /// Where the payload of the tracked ones went.
    pub(crate) bytes: Ledger,
    /// What the capture says of itself.
    pub(crate) capture: Capture,
    /// What packets were that are no flow.
    pub(crate) unread: UnreadHeaders,
    /// Flows started.
    pub(crate) flows: u64,
    /// Flows evicted for lack of room.
    pub(crate) evicted: u64,
    /// Packets that the capture counted in place of the flow table.
    pub(crate) shunted: u64,
    /// Link types of capture files, each once.
    pub(crate) links: Vec<String>,
    /// Bytes on the wire of all packets.
    pub(crate) wire_bytes: u64,
    /// The latest believable packet time.
    pub(crate) end: Timestamp,
}

/// What lies before the ledgers, or beside them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Capture {
    /// Packets that interfaces dropped for want of room, as the files say.
    pub(crate) interface_drop: u64,
    /// Packets that operating systems dropped, as the files say.
    pub(crate) os_drop: u64,
    /// Packets whose time lay behind one before.
    pub(crate) clock_backwards: u64,
    /// Jumps ahead by more than an hour.
    pub(crate) clock_jumps: u64,
    /// Packets with a wrong checksum, where those are verified.
    pub(crate) bad_checksums: u64,
    /// Packets whose checksum the sender's card was still to fill in.
    pub(crate) checksums_offloaded: u64,
}

impl Capture {
    fn counts(&self) -> [(&'static str, u64); 6] {
        [
            ("interface_drop", self.interface_drop),
            ("os_drop", self.os_drop),
            ("clock_backwards", self.clock_backwards),
            ("clock_jumps", self.clock_jumps),
            ("bad_checksums", self.bad_checksums),
            ("checksums_offloaded", self.checksums_offloaded),
        ]
    }
}

impl Totals {
    /// Whether anything was lost for want of room.
    pub(crate) fn lacked_room(&self) -> bool {
        let lost = |ledger: &Ledger| ledger.losses().any(|(cause, _)| cause.is_for_want_of_room());
        lost(&self.packets) || lost(&self.bytes)
    }

    /// The ledgers, and what lies beside them.
    pub(crate) fn stats(&self) -> CaptureStats {
        let mut stats = CaptureStats::new(self.packets.clone(), self.bytes.clone());
        stats.evicted = self.evicted;
        stats.capture = self.capture.counts().into();
        stats.unread = self.unread.clone();
        stats
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

    /// Packets that were not seen, by cause.
    pub(crate) fn lost(&self) -> Vec<(&'static str, u64)> {
        let Capture { interface_drop, os_drop, .. } = self.capture;
        let dropped = [("interface_drop", interface_drop), ("os_drop", os_drop)];
        // The capture counted those that it shunted for their flows.
        let lost = self.packets.losses().filter(|(cause, _)| *cause != Loss::Shunted);
        let lost = lost.map(|(cause, n)| (cause.slug(), n));
        lost.chain(dropped).filter(|(_, n)| *n > 0).collect()
    }

    /// What was not read for lack of room, in one line, if anything.
    pub(crate) fn not_read(&self) -> Option<String> {
        let lost = self.bytes.losses().filter(|(cause, n)| *n > 0 && cause.is_for_want_of_room());
        let parts: Vec<_> =
            lost.map(|(cause, n)| format!("{} {}", count(n, "byte"), cause.slug())).collect();
        (!parts.is_empty()).then(|| format!("not read: {} of payload", parts.join(", ")))
    }

    /// That flows were evicted, in one line, if any.
    pub(crate) fn evicted_line(&self) -> Option<String> {
        let flows = count(self.evicted, "flow");
        let evicted = self.evicted > 0;
        evicted
            .then(|| format!("evicted for lack of room: {flows}; --max-flows, --memory set limits"))
    }

    /// What was not seen, in one line, if anything.
    pub(crate) fn not_seen(&self) -> Option<String> {
        let lost = self.lost().into_iter();
        let parts: Vec<_> =
            lost.map(|(slug, n)| format!("{} {slug}", count(n, "packet"))).collect();
        (!parts.is_empty()).then(|| format!("not seen: {}{}", parts.join(", "), self.unread_line()))
    }

    /// What the most frequent of them were.
    fn unread_line(&self) -> String {
        const SHOWN: usize = 5;

        let counts = self.unread.by_count();
        let (shown, rest) = counts.split_at(counts.len().min(SHOWN));
        let other = self.unread.other() + rest.iter().map(|(_, n)| n).sum::<u64>();
        let mut parts: Vec<_> = shown.iter().map(|(header, n)| format!("{n} {header}")).collect();
        if other > 0 {
            parts.push(format!("{other} other"));
        }
        if parts.is_empty() { String::new() } else { format!("; unread: {}", parts.join(", ")) }
    }
}

/// So many of something, for people.
pub(crate) fn count(n: u64, of: &str) -> String {
    if n == 1 { format!("1 {of}") } else { format!("{n} {of}s") }
}

/// Appends the statistics as the last line of JSON output.
pub(super) fn write(totals: &Totals, out: &mut Vec<u8>) {
    EveFormat::new().flowless(totals.end, &totals.stats(), out);
}

/// Prints the statistics on standard error, as one line of JSON.
#[cfg(all(feature = "live", target_os = "linux"))]
pub(crate) fn report(totals: &Totals) {
    let mut line = Vec::new();
    write(totals, &mut line);
    // A closed standard error is no error.
    let _ = io::stderr().write_all(&line);
}

#[cfg(test)]
mod tests {
    use flowscope::core::UnreadHeader;

    use super::*;

    #[test]
    fn losses_are_named_and_nothing_is_said_of_none() {
        let mut totals = Totals::default();
        totals.packets.deliver(1);
        assert_eq!(totals.not_seen(), None);
        assert_eq!(totals.summary(), "0 flows, 1 packet, 0 bytes");
        totals.packets.lose(Loss::NotAFlow, 3);
        totals.packets.lose(Loss::Shunted, 1000);
        totals.packets.lose(Loss::FileTruncated, 1);
        totals.capture.os_drop = 7;
        let expected = "not seen: 1 packet file_truncated, 3 packets not_a_flow, 7 packets os_drop";
        assert_eq!(totals.not_seen().as_deref(), Some(expected));
        assert!(!totals.lacked_room());
        for number in 0x9000..0x9008 {
            totals.unread.add(UnreadHeader::EtherType(number), 1);
        }
        totals.unread.add(UnreadHeader::EtherType(0x0806), 2);
        let kinds = "2 ethertype arp, 1 ethertype loopback, 1 ethertype 0x9001, \
                     1 ethertype 0x9002, 1 ethertype 0x9003, 4 other";
        assert_eq!(totals.not_seen(), Some(format!("{expected}; unread: {kinds}")));
    }
}
