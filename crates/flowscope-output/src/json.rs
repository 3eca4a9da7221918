//! JSON lines, written in one go.
//!
//! A record has sixty names and numbers that need no escaping; that is most of what there is to
//! write, so they are not looked at byte by byte. Text that needs escaping is left to `serde_json`.

use std::borrow::Cow;
use std::fmt::Display;
use std::io::Write;
use std::net::IpAddr;
use std::time::Duration;

use flowscope_core::{TcpFlags, Timestamp};
use flowscope_record::{Short, Value};

use crate::decimal;
use crate::piece::Piece;
use crate::text::rfc3339_bytes;

pub(crate) mod addr;
mod seconds;
mod text;

/// An object that is being written.
#[derive(Debug)]
pub struct Object<'a> {
    out: &'a mut Vec<u8>,
}

/// Appends a line that is an object.
pub fn line(out: &mut Vec<u8>, fill: impl FnOnce(&mut Object<'_>)) {
    object(out, fill);
    out.push(b'\n');
}

/// Appends an object.
pub fn object(out: &mut Vec<u8>, fill: impl FnOnce(&mut Object<'_>)) {
    let start = out.len();
    fill(&mut Object { out });
    enclose(start, b"{}", out);
}

/// Appends a list of two numbers.
pub fn pair(a: u64, b: u64, out: &mut Vec<u8>) {
    out.push(b'[');
    a.write(out);
    out.push(b',');
    b.write(out);
    out.push(b']');
}

/// Puts brackets around what was written from `start` on. Every member, and every item of a list, begins with
/// a comma: that of the first one becomes the bracket.
#[inline]
pub(crate) fn enclose(start: usize, [open, close]: &[u8; 2], out: &mut Vec<u8>) {
    match out.get_mut(start) {
        Some(comma) => *comma = *open,
        None => out.push(*open),
    }
    out.push(*close);
}

impl<'a> Object<'a> {
    /// An object that others [`enclose`].
    pub(crate) fn within(out: &'a mut Vec<u8>) -> Self {
        Object { out }
    }
}

impl Object<'_> {
    /// Adds a value.
    #[inline]
    pub fn put(&mut self, name: &'static str, value: impl Json) {
        self.name(name);
        value.write(self.out);
    }

    /// Adds a value, if there is one.
    #[inline]
    pub fn put_some(&mut self, name: &'static str, value: Option<impl Json>) {
        if let Some(value) = value {
            self.put(name, value);
        }
    }

    /// Adds `true`, or nothing.
    #[inline]
    pub fn put_true(&mut self, name: &'static str, value: bool) {
        if value {
            self.put(name, true);
        }
    }

    /// Adds a time.
    pub fn put_time(&mut self, name: &'static str, ts: Timestamp) {
        self.put(name, ts);
    }

    /// Adds an object.
    pub fn object(&mut self, name: &'static str, fill: impl FnOnce(&mut Object<'_>)) {
        self.name(name);
        object(self.out, fill);
    }

    /// Adds a list, unless it is empty.
    pub fn list<T>(
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
    pub fn all<T>(
        &mut self,
        name: &'static str,
        items: impl Iterator<Item = T>,
        write: impl Fn(T, &mut Vec<u8>),
    ) {
        self.name(name);
        let start = self.out.len();
        for item in items {
            self.out.push(b',');
            write(item, self.out);
        }
        enclose(start, b"[]", self.out);
    }

    /// Where members are written that are text already, each with a comma before it.
    pub fn members(&mut self) -> &mut Vec<u8> {
        self.out
    }

    /// Names are of this program and need no escaping.
    #[inline]
    pub(crate) fn name(&mut self, name: &'static str) {
        self.out.extend_from_slice(b",\"");
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }
}

/// What can be a value.
pub trait Json: Copy {
    /// Appends it.
    fn write(self, out: &mut Vec<u8>);
}

macro_rules! numbers {
    ($($number:ty)*) => {$(
        impl Json for $number {
            #[inline]
            fn write(self, out: &mut Vec<u8>) {
                decimal::write(self.into(), out);
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
        text::write(self, out);
    }
}

impl<const N: usize> Json for Short<N> {
    #[inline]
    fn write(self, out: &mut Vec<u8>) {
        short(&self, out);
    }
}

impl Json for Timestamp {
    #[inline]
    fn write(self, out: &mut Vec<u8>) {
        let (text, len) = rfc3339_bytes(self);
        out.push(b'"');
        let end = out.len() + len;
        out.extend_from_slice(&text);
        out.truncate(end);
        out.push(b'"');
    }
}

/// In seconds.
impl Json for Duration {
    fn write(self, out: &mut Vec<u8>) {
        seconds::write(self, out);
    }
}

impl Json for &Value<'_> {
    fn write(self, out: &mut Vec<u8>) {
        write(self, out);
    }
}

impl Json for IpAddr {
    fn write(self, out: &mut Vec<u8>) {
        out.push(b'"');
        addr::write(self, out);
        out.push(b'"');
    }
}

/// Appends a member: its name, with the comma before it, quotes and colon, and its value. Nothing if that is
/// `Null`, or an empty list that is left out.
// Called in one loop, where what a call costs would be a fifth of it.
#[inline(always)]
pub(crate) fn member(name: &Piece, value: Value<'_>, empty_lists: bool, out: &mut Vec<u8>) {
    match &value {
        Value::Null => return std::mem::forget(value),
        Value::List(items) if items.is_empty() && !empty_lists => return,
        _ => {}
    }
    name.write(out);
    let owns_memory = match &value {
        Value::Bool(flag) => {
            flag.write(out);
            false
        }
        Value::U64(number) => {
            number.write(out);
            false
        }
        Value::Time(ts) => {
            ts.write(out);
            false
        }
        Value::Text(Cow::Borrowed(text)) => {
            text.write(out);
            false
        }
        Value::Short(text) => {
            short(text, out);
            false
        }
        Value::Bytes(Cow::Borrowed(bytes)) => {
            text::write_bytes(bytes, out);
            false
        }
        Value::Duration(span) => {
            span.write(out);
            false
        }
        other => {
            write(other, out);
            true
        }
    };
    // Most values own none, and there are sixty in a record: that of them all need not be asked twice.
    if !owns_memory {
        std::mem::forget(value);
    }
}

/// Appends a value.
#[inline]
pub(crate) fn write(value: &Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Bool(flag) => flag.write(out),
        Value::U64(number) => number.write(out),
        Value::F64(number) => number.write(out),
        Value::Time(ts) => ts.write(out),
        Value::Duration(span) => span.write(out),
        Value::Addr(addr) => addr.write(out),
        Value::Bytes(bytes) => text::write_bytes(bytes, out),
        Value::Text(text) => text.as_ref().write(out),
        Value::Short(text) => short(text, out),
        Value::List(items) => {
            let start = out.len();
            for item in items {
                out.push(b',');
                write(item, out);
            }
            enclose(start, b"[]", out);
        }
        Value::Object(members) => {
            object(out, |object| {
                for (name, value) in members {
                    if !value.is_null() {
                        object.name(name);
                        write(value, object.out);
                    }
                }
            });
        }
        _ => out.extend_from_slice(b"null"),
    }
}

#[inline]
fn short<const N: usize>(text: &Short<N>, out: &mut Vec<u8>) {
    // Most texts are ASCII without escapes: nobody has to know then that they are UTF-8.
    if !text::write_ascii(text.as_bytes(), out) {
        text.as_str().write(out);
    }
}

/// Appends what a value displays as.
fn display(value: impl Display, out: &mut Vec<u8>) {
    write!(out, "{value}").expect("a vector takes all");
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
    fn what_is_not_there_is_left_out() {
        let check = |value: Value<'_>, empty_lists: bool, expected: &str| {
            let mut out = Vec::new();
            member(&Piece::new(",\"a\":"), value, empty_lists, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        };
        let list = |values: &[u8]| Value::list(values.iter().copied());
        check(Value::Null, true, "");
        check(list(&[]), false, "");
        check(list(&[]), true, ",\"a\":[]");
        check(list(&[1, 2]), false, ",\"a\":[1,2]");
        let object = Value::Object(vec![("x", Value::Null), ("y", 1_u8.into())]);
        check(object, false, ",\"a\":{\"y\":1}");
        check(Value::List(vec![Value::Null]), false, ",\"a\":[null]");
    }

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
        });
        let expected = "{\"text\":\"\\u0001\\\"\\\\é\u{7f}\",\"port\":443,\"empty\":{},\
            \"inner\":{\"time\":0.001,\"yes\":true,\"ids\":[1,4095]},\"v4\":\"255.0.10.9\",\
            \"v6\":\"2001:db8::1\",\"flags\":\"1b\"}\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
        assert!(serde_json::from_str::<serde_json::Value>(expected).is_ok());
    }
}
