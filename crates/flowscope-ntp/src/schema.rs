//! The columns of an NTP message. Suricata has no such event; names are those of Zeek's `ntp.log`.

use std::fmt::Write as _;

use flowscope_core::{FlowSide, Timestamp};
use flowscope_record::{Column, Kind, Record, Schema, Value, Visitor, ZeekType};

use crate::{NtpMessage, NtpTimes, NtpTimestamp};

type C = Column<NtpMessage>;

/// The columns of `ntp` records.
pub(crate) static NTP: Schema<NtpMessage> = Schema {
    sender: Some(|x| x.side),
    zeek_rows: Some(lines),
    columns: &[
        C::new("version", Kind::U64, |x| x.version.into(), "Version, 1 to 4 (RFC 5905 §7.3).")
            .eve("ntp.version")
            .zeek(0, "version", ZeekType::Count),
        C::new("mode", Kind::U64, |x| x.mode.0.into(), "Role of the sender (RFC 5905 §7.3).")
            .eve("ntp.mode")
            .zeek(1, "mode", ZeekType::Count),
        C::new(
            "mode_name",
            Kind::Text,
            |x| Value::some(x.mode.name()),
            "Role by name: symmetric_active, symmetric_passive, client, server, broadcast, control, private.",
        )
        .eve("ntp.mode_name"),
        C::new(
            "leap",
            Kind::U64,
            |x| x.leap.into(),
            "Leap indicator: 1 and 2 announce a leap second, 3 is an unsynchronised clock (RFC 5905 §7.3).",
        )
        .eve("ntp.leap"),
        C::new(
            "stratum",
            Kind::U64,
            |x| of(x, |times| times.stratum.into()),
            "Distance from a reference clock, 16 for an unsynchronised clock (RFC 5905 §7.3).",
        )
        .eve("ntp.stratum")
        .zeek(2, "stratum", ZeekType::Count),
        C::new(
            "poll",
            Kind::Duration,
            |x| of(x, |times| times.poll_interval().into()),
            "Longest interval between messages, in seconds (RFC 5905 §7.3).",
        )
        .eve("ntp.poll")
        .zeek(3, "poll", ZeekType::Interval),
        C::new(
            "precision",
            Kind::Duration,
            |x| of(x, |times| times.precision_interval().into()),
            "Precision of the clock, in seconds (RFC 5905 §7.3).",
        )
        .eve("ntp.precision")
        .zeek(4, "precision", ZeekType::Interval),
        C::new(
            "root_delay",
            Kind::Duration,
            |x| of(x, |times| times.root_delay.to_duration().into()),
            "Round trip to the reference clock, in seconds (RFC 5905 §7.3).",
        )
        .eve("ntp.root_delay")
        .zeek(5, "root_delay", ZeekType::Interval),
        C::new(
            "root_disp",
            Kind::Duration,
            |x| of(x, |times| times.root_dispersion.to_duration().into()),
            "Largest error relative to the reference clock, in seconds (RFC 5905 §7.3).",
        )
        .eve("ntp.root_disp")
        .zeek(6, "root_disp", ZeekType::Interval),
        C::new(
            "ref_id",
            Kind::Bytes,
            |x| of(x, |times| times.reference_kind().to_bytes().into()),
            "What the clock is synchronised with: a kiss code, the kind of a clock, or an address (RFC 5905 §7.3).",
        )
        .eve("ntp.ref_id")
        .zeek(7, "ref_id", ZeekType::String),
        C::new(
            "ref_time",
            Kind::Time,
            |x| time(x, |times| times.reference),
            "When the clock was last set (RFC 5905 §7.3). Zeek has zero where it is not known.",
        )
        .eve("ntp.ref_time")
        .zeek_as(8, "ref_time", ZeekType::Time, |x| zeek_time(x, |times| times.reference)),
        C::new(
            "org_time",
            Kind::Time,
            |x| time(x, |times| times.origin),
            "When the client sent its request, by its clock (RFC 5905 §7.3). Zeek has zero where it is not known.",
        )
        .eve("ntp.org_time")
        .zeek_as(9, "org_time", ZeekType::Time, |x| zeek_time(x, |times| times.origin)),
        C::new(
            "rec_time",
            Kind::Time,
            |x| time(x, |times| times.receive),
            "When the server received it, by its clock (RFC 5905 §7.3). Zeek has zero where it is not known.",
        )
        .eve("ntp.rec_time")
        .zeek_as(10, "rec_time", ZeekType::Time, |x| zeek_time(x, |times| times.receive)),
        C::new(
            "xmt_time",
            Kind::Time,
            |x| time(x, |times| times.transmit),
            "When the message was sent, by its sender's clock (RFC 5905 §7.3). Zeek has zero where it is not known.",
        )
        .eve("ntp.xmt_time")
        .zeek_as(11, "xmt_time", ZeekType::Time, |x| zeek_time(x, |times| times.transmit)),
        C::new(
            "num_exts",
            Kind::U64,
            |x| of(x, |times| times.extensions.into()),
            "Extension fields behind the header (RFC 7822 §3).",
        )
        .eve("ntp.num_exts")
        .zeek(12, "num_exts", ZeekType::Count),
        C::new(
            "authenticated",
            Kind::Bool,
            |x| of(x, |times| Value::flag(times.authenticated)),
            "Whether a message authentication code follows (RFC 5905 §7.3).",
        )
        .eve("ntp.authenticated"),
        C::new(
            "from",
            Kind::Text,
            |x| match x.side {
                FlowSide::Initiator => "initiator".into(),
                FlowSide::Responder => "responder".into(),
            },
            "Which end of the flow sent it.",
        )
        .eve("flowscope.from"),
        C::new("bytes", Kind::U64, |x| x.len.into(), "Length of the message on the wire.")
            .eve("flowscope.bytes"),
    ],
    summary,
    ..Schema::new("ntp", |x| x.ts)
};

impl Record for NtpMessage {
    fn visit<V: Visitor>(&self, visitor: V) -> V::Output {
        visitor.record(&NTP, self)
    }
}

/// Zeek's log has messages about clocks alone.
fn lines(message: &NtpMessage, row: &mut dyn FnMut(&NtpMessage)) {
    if message.times.is_some() {
        row(message);
    }
}

fn of(message: &NtpMessage, value: fn(&NtpTimes) -> Value<'static>) -> Value<'static> {
    message.times.as_ref().map_or(Value::Null, value)
}

fn time(message: &NtpMessage, which: fn(&NtpTimes) -> NtpTimestamp) -> Value<'static> {
    Value::some(message.times.as_ref().map(which).and_then(NtpTimestamp::to_timestamp))
}

/// Zeek shows a time that is not known as zero.
fn zeek_time(message: &NtpMessage, which: fn(&NtpTimes) -> NtpTimestamp) -> Value<'static> {
    match time(message, which) {
        Value::Null => Timestamp::ZERO.into(),
        known => known,
    }
}

/// `v4 server stratum 2 192.0.2.1`.
fn summary(message: &NtpMessage, text: &mut String) {
    let _ = write!(text, "v{} {}", message.version, message.mode);
    if let Some(times) = &message.times {
        let reference = times.reference_kind().to_bytes();
        let _ = write!(text, " stratum {}", times.stratum);
        if !reference.is_empty() {
            let _ = write!(text, " {}", String::from_utf8_lossy(&reference));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_is_sound() {
        assert_eq!(NTP.faults(), Vec::<String>::new());
    }
}
