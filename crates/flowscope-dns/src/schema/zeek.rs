//! Values as Zeek's `dns.log` has them: names in lower case and unescaped, since the writer of the log escapes
//! them, types by Zeek's names, and answers in the words of Zeek's scripts.

use std::io::Write as _;

use flowscope_record::Value;
use hickory_proto::rr::{self, RData, rdata};

use crate::wire::be16;
use crate::{Class, DnsMessage, DnsTransaction, Header, Name, Question, Rcode, Record, RecordType};

/// The first question of the query. What a response repeats of it is not in Zeek's log.
pub(super) fn question(transaction: &DnsTransaction) -> Option<&Question> {
    transaction.query.as_ref()?.questions().first()
}

/// The header of the query, from which Zeek has TC, RD and Z.
pub(super) fn query_header(transaction: &DnsTransaction) -> Option<Header> {
    Some(transaction.query.as_ref()?.header)
}

/// The header of a response that has an answer. Without one, Zeek has neither AA and RA nor the time it took.
pub(super) fn answer_header(transaction: &DnsTransaction) -> Option<Header> {
    /// An answer to Zeek, though without a text.
    const WKS: RecordType = RecordType(11);
    let response = transaction.response.as_ref()?;
    let is_answer = |record: &Record| record.rtype == WKS || answer(record).is_some();
    response.answers().iter().any(is_answer).then_some(response.header)
}

/// From the query to its answer. Zeek has none of 0.
pub(super) fn rtt(transaction: &DnsTransaction) -> Value<'_> {
    let latency = transaction.latency.filter(|latency| !latency.is_zero());
    Value::some(latency.filter(|_| answer_header(transaction).is_some()))
}

/// The name of the first question; without a query, of the first answer.
pub(super) fn query(transaction: &DnsTransaction) -> Value<'_> {
    let answer = || transaction.response.as_ref()?.answers().first().map(Record::name);
    let name = question(transaction).map(Question::name).or_else(answer);
    name.map_or(Value::Null, |name| lower(&name.0).into())
}

/// The name of a type.
pub(super) fn qtype_name(rtype: RecordType) -> Value<'static> {
    match rtype {
        RecordType::ANY => "*".into(),
        _ => match rtype.mnemonic() {
            Some(mnemonic) => mnemonic.into(),
            None => Value::short(format_args!("query-{}", rtype.0)),
        },
    }
}

/// The name of a class.
pub(super) fn qclass_name(class: Class) -> Value<'static> {
    match class {
        Class::IN => "C_INTERNET".into(),
        Class::CH => "C_CHAOS".into(),
        Class::HS => "C_HESIOD".into(),
        Class::NONE => "C_NONE".into(),
        Class::ANY => "C_ANY".into(),
        Class(number) => Value::short(format_args!("qclass-{number}")),
    }
}

/// Whether the server rejected the query, as Zeek has it: the response has a question and no record at all, or
/// has no question and says that something went wrong.
pub(super) fn is_rejected(response: &DnsMessage) -> bool {
    let Header { counts: [questions, records @ ..], .. } = response.header;
    if questions == 0 { response.header.rcode() != Rcode::NOERROR } else { records == [0; 3] }
}

/// The answers that Zeek has a text for, and how long each may be cached.
pub(super) fn answers(transaction: &DnsTransaction) -> impl Iterator<Item = (Vec<u8>, u32)> {
    let answers = transaction.response.as_ref().map(DnsMessage::answers).unwrap_or_default();
    answers.iter().filter_map(|record| {
        let text = answer(record).filter(|text| !text.is_empty())?;
        Some((text, record.ttl()))
    })
}

/// The text for an answer. There is none for types that Zeek reads and its scripts leave out of the log.
fn answer(record: &Record) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    match (&record.data, record.rtype) {
        (RData::A(rdata::A(address)), _) => push(&mut text, address),
        (RData::AAAA(rdata::AAAA(address)), _) => push(&mut text, address),
        (RData::CNAME(rdata::CNAME(name)), _)
        | (RData::NS(rdata::NS(name)), _)
        | (RData::PTR(rdata::PTR(name)), _) => text = lower(name),
        (RData::MX(mx), _) => text = lower(&mx.exchange),
        (RData::SOA(soa), _) => text = lower(&soa.mname),
        (RData::SRV(srv), _) => text = lower(&srv.target),
        (RData::TXT(txt), _) => {
            for (at, string) in txt.txt_data.iter().enumerate() {
                let between = if at == 0 { "" } else { " " };
                push(&mut text, format_args!("{between}TXT {} ", string.len()));
                text.extend_from_slice(string);
            }
        }
        (RData::NAPTR(naptr), _) => {
            push(&mut text, format_args!("NAPTR {} {} ", naptr.order, naptr.preference));
            let replacement = lower(&naptr.replacement);
            let rest = [&naptr.regexp[..], &replacement];
            let rest: Vec<&[u8]> = rest.into_iter().filter(|part| !part.is_empty()).collect();
            text.extend([&naptr.flags[..], &naptr.services, &rest.join(&b' ')].join(&b' '));
        }
        (RData::SSHFP(sshfp), _) => {
            text.extend(b"SSHFP: ");
            sshfp.fingerprint.iter().for_each(|byte| push(&mut text, format_args!("{byte:02x}")));
        }
        (
            RData::HINFO(_) | RData::CAA(_) | RData::SVCB(_) | RData::HTTPS(_) | RData::TSIG(_),
            _,
        ) => {
            return None;
        }
        (data, rtype) => return by_bytes(data, rtype, record.name()),
    }
    Some(text)
}

/// The text for types whose data the library does not look into.
fn by_bytes(data: &RData, rtype: RecordType, owner: &Name) -> Option<Vec<u8>> {
    let bytes: &[u8] = match data {
        RData::NULL(null) | RData::Unknown { rdata: null, .. } => &null.anything,
        _ => &[],
    };
    let mut text = Vec::new();
    match rtype.0 {
        // Types with a text of their own, and data that does not fit them; what Zeek leaves out.
        1 | 2 | 5 | 6 | 11 | 12 | 13 | 15 | 16 | 28 | 33 | 35 | 44 | 64 | 65 | 250 | 257 => {
            return None;
        }
        // LOC: size and precisions.
        29 => match bytes {
            &[_, size, horizontal, vertical, ..] => {
                push(&mut text, format_args!("LOC:  {size} {horizontal} {vertical}"));
            }
            _ => return None,
        },
        // DS: algorithm and digest type (RFC 4034 §5.1).
        43 => match bytes {
            &[_, _, algorithm, digest, ..] => {
                push(&mut text, format_args!("DS {algorithm} {digest}"));
            }
            _ => return None,
        },
        // RRSIG: type covered and signer (RFC 4034 §3.1).
        46 => {
            let (covered, signer) = (be16(bytes, 0)?, plain_name(bytes.get(18..)?)?);
            push(&mut text, format_args!("RRSIG {covered} "));
            text.extend(if signer.is_empty() { b"<Root>".to_vec() } else { signer });
        }
        // NSEC: the owner and the next name (RFC 4034 §4.1).
        47 => text.extend([b"NSEC".to_vec(), lower(&owner.0), plain_name(bytes)?].join(&b' ')),
        // DNSKEY: algorithm (RFC 4034 §2.1).
        48 => push(&mut text, format_args!("DNSKEY {}", bytes.get(3)?)),
        50 => text.extend(b"NSEC3"),
        51 => text.extend(b"NSEC3PARAM"),
        // SPF: strings, as TXT has them (RFC 4408 §3.1.1).
        99 => {
            let mut rest = bytes;
            while let Some((&len, strings)) = rest.split_first() {
                let (string, behind) = strings.split_at_checked(usize::from(len))?;
                let between = if text.is_empty() { "" } else { " " };
                push(&mut text, format_args!("{between}SPF {len} "));
                text.extend_from_slice(string);
                rest = behind;
            }
        }
        65534 => text.extend(b"BIND9 signing signal"),
        number => push(&mut text, format_args!("<unknown type={number}>")),
    }
    Some(text)
}

/// A name at the start of `bytes` that is not compressed, as those of DNSSEC are (RFC 3597 §4).
fn plain_name(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut name = Vec::new();
    loop {
        let (&len, rest) = bytes.split_first()?;
        if len == 0 {
            return Some(name);
        }
        let (label, rest) = rest.split_at_checked(usize::from(len)).filter(|_| len < 64)?;
        push_label(label, &mut name);
        bytes = rest;
    }
}

/// A name in lower case, with dots between its labels.
fn lower(name: &rr::Name) -> Vec<u8> {
    let mut text = Vec::with_capacity(name.len());
    name.iter().for_each(|label| push_label(label, &mut text));
    text
}

fn push_label(label: &[u8], name: &mut Vec<u8>) {
    if !name.is_empty() {
        name.push(b'.');
    }
    name.extend(label.iter().map(u8::to_ascii_lowercase));
}

fn push(text: &mut Vec<u8>, shown: impl std::fmt::Display) {
    write!(text, "{shown}").expect("a vector takes all");
}

#[cfg(test)]
mod tests;
