//! JSON lines, written in one go.
//!
//! A record has sixty names and numbers that need no escaping; that is most of what there is to
//! write, so they are not looked at byte by byte. Text that needs escaping is left to `serde_json`.

use std::fmt::Display;
use std::io::Write;
use std::net::IpAddr;

use flowscope::core::{L4Proto, TcpFlags};

use crate::text::Short;

/// An object that is being written.
pub(super) struct Object<'a> {
    out: &'a mut Vec<u8>,
}

/// Appends a line that is an object.
pub(super) fn line(out: &mut Vec<u8>, fill: impl FnOnce(&mut Object<'_>)) {
    object(out, fill);
    out.push(b'\n');
}

/// Appends an object.
pub(super) fn object(out: &mut Vec<u8>, fill: impl FnOnce(&mut Object<'_>)) {
    out.push(b'{');
    fill(&mut Object { out });
    close(out, b'}');
}

/// Appends a list of two numbers.
pub(super) fn pair(a: u64, b: u64, out: &mut Vec<u8>) {
    out.push(b'[');
    a.write(out);
    out.push(b',');
    b.write(out);
    out.push(b']');
}

/// Every value leaves a comma behind it, which the bracket replaces.
fn close(out: &mut Vec<u8>, bracket: u8) {
    match out.last_mut() {
        Some(comma @ b',') => *comma = bracket,
        _ => out.push(bracket),
    }
}

impl Object<'_> {
    /// Adds a value.
    #[inline]
    pub(super) fn put(&mut self, name: &'static str, value: impl Json) {
        self.name(name);
        value.write(self.out);
        self.out.push(b',');
    }

    /// Adds a value, if there is one.
    #[inline]
    pub(super) fn put_some(&mut self, name: &'static str, value: Option<impl Json>) {
        if let Some(value) = value {
            self.put(name, value);
        }
    }

    /// Adds `true`, or nothing.
    #[inline]
    pub(super) fn put_true(&mut self, name: &'static str, value: bool) {
        if value {
            self.put(name, true);
        }
    }

    /// Adds an object.
    pub(super) fn object(&mut self, name: &'static str, fill: impl FnOnce(&mut Object<'_>)) {
        self.name(name);
        object(self.out, fill);
        self.out.push(b',');
    }

    /// Adds a list, unless it is empty.
    pub(super) fn list<T>(
        &mut self,
        name: &'static str,
        items: impl Iterator<Item = T>,
        write: impl Fn(T, &mut Vec<u8>),
    ) {
        let mut items = items.peekable();
        if items.peek().is_none() {
            return;
        }
        self.all(name, items, write);
    }

    /// Adds a list, also if it is empty.
    pub(super) fn all<T>(
        &mut self,
        name: &'static str,
        items: impl Iterator<Item = T>,
        write: impl Fn(T, &mut Vec<u8>),
    ) {
        self.name(name);
        self.out.push(b'[');
        for item in items {
            write(item, self.out);
            self.out.push(b',');
        }
        close(self.out, b']');
        self.out.push(b',');
    }

    /// Names are of this program and need no escaping.
    #[inline]
    fn name(&mut self, name: &'static str) {
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }
}

/// What can be a value.
pub(super) trait Json: Copy {
    /// Appends it.
    fn write(self, out: &mut Vec<u8>);
}

macro_rules! numbers {
    ($($number:ty)*) => {$(
        impl Json for $number {
            #[inline]
            fn write(self, out: &mut Vec<u8>) {
                out.extend_from_slice(itoa::Buffer::new().format(self).as_bytes());
            }
        }
    )*};
}

numbers!(u8 u16 u32 u64);

/// Of a number that is finite.
impl Json for f64 {
    fn write(self, out: &mut Vec<u8>) {
        display(self, out);
    }
}

impl Json for bool {
    fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(if self { b"true" } else { b"false" });
    }
}

impl Json for &str {
    #[inline]
    fn write(self, out: &mut Vec<u8>) {
        // Looks at all bytes without a branch, so at many at a time.
        let escape = |b: u8| b < b' ' || b == b'"' || b == b'\\';
        if !self.bytes().fold(false, |found, b| found | escape(b)) {
            out.push(b'"');
            out.extend_from_slice(self.as_bytes());
            out.push(b'"');
        } else {
            serde_json::to_writer(out, self).expect("a vector takes all");
        }
    }
}

impl<const N: usize> Json for Short<N> {
    #[inline]
    fn write(self, out: &mut Vec<u8>) {
        self.as_str().write(out);
    }
}

impl Json for IpAddr {
    fn write(self, out: &mut Vec<u8>) {
        out.push(b'"');
        match self {
            IpAddr::V4(addr) => {
                let [first, rest @ ..] = addr.octets();
                first.write(out);
                for octet in rest {
                    out.push(b'.');
                    octet.write(out);
                }
            }
            IpAddr::V6(addr) => display(addr, out),
        }
        out.push(b'"');
    }
}

fn display(value: impl Display, out: &mut Vec<u8>) {
    write!(out, "{value}").expect("a vector takes all");
}

/// The protocol as Suricata names it, or its number.
impl Json for L4Proto {
    fn write(self, out: &mut Vec<u8>) {
        match proto(self) {
            Ok(name) => name.write(out),
            Err(number) => number.as_str().write(out),
        }
    }
}

/// The protocol as Suricata names it, or its number.
pub(super) fn proto(proto: L4Proto) -> Result<&'static str, Short<16>> {
    Ok(match proto {
        L4Proto::Tcp => "TCP",
        L4Proto::Udp => "UDP",
        L4Proto::Icmp => "ICMP",
        L4Proto::Icmpv6 => "IPv6-ICMP",
        L4Proto::Sctp => "SCTP",
        other => return Err(Short::of(other.number())),
    })
}

/// Two hexadecimal digits, as Suricata has them.
impl Json for TcpFlags {
    fn write(self, out: &mut Vec<u8>) {
        let digit = |n: u8| b"0123456789abcdef"[usize::from(n & 15)];
        out.extend_from_slice(&[b'"', digit(self.0 >> 4), digit(self.0), b'"']);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_json() {
        let mut out = Vec::new();
        line(&mut out, |line| {
            line.put("text", "\u{1}\"\\é\u{7f}");
            line.put_some("none", None::<u8>);
            line.put_some("port", Some(443_u16));
            line.object("empty", |_| ());
            line.object("inner", |inner| {
                inner.put("time", 0.001_f64);
                inner.put_true("no", false);
                inner.put_true("yes", true);
                inner.list("nothing", std::iter::empty::<u32>(), Json::write);
                inner.list("ids", [1_u32, 4095].into_iter(), Json::write);
            });
            line.put("v4", IpAddr::from([255, 0, 10, 9]));
            line.put("v6", IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1]));
            line.put("flags", TcpFlags(0x1b));
            line.put("proto", L4Proto::Other(47));
        });
        let expected = "{\"text\":\"\\u0001\\\"\\\\é\u{7f}\",\"port\":443,\"empty\":{},\
            \"inner\":{\"time\":0.001,\"yes\":true,\"ids\":[1,4095]},\"v4\":\"255.0.10.9\",\
            \"v6\":\"2001:db8::1\",\"flags\":\"1b\",\"proto\":\"47\"}\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
        assert!(serde_json::from_str::<serde_json::Value>(expected).is_ok());
    }
}
