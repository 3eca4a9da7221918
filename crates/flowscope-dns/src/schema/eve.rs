//! Values as Suricata's EVE has them: an answer for each string of a TXT record, without quotes, and what is
//! answered by type.

use flowscope_record::Value;

use super::values::{either, rtype};
use crate::{DnsMessage, DnsTransaction, Record, RecordType};

/// The records of a section.
pub(super) fn records<'a>(
    transaction: &'a DnsTransaction,
    section: fn(&DnsMessage) -> &[Record],
) -> Value<'a> {
    let records = either(transaction).map(section).unwrap_or_default();
    let mut list = Vec::with_capacity(records.len());
    for record in records {
        each_data(record, |data| {
            list.push(Value::Object(vec![
                ("rrname", record.name().to_text().into()),
                ("rrtype", rtype(record.rtype())),
                ("ttl", record.ttl().into()),
                ("rdata", data),
            ]));
        });
    }
    Value::List(list)
}

/// The data of all answers under the names of their types; types without a name are left out.
pub(super) fn grouped(transaction: &DnsTransaction) -> Value<'_> {
    let answers = either(transaction).map(DnsMessage::answers).unwrap_or_default();
    let mut groups: Vec<(&'static str, Value<'_>)> = Vec::new();
    for record in answers {
        let Some(name) = record.rtype().mnemonic() else { continue };
        let at = groups.iter().position(|(group, _)| *group == name).unwrap_or_else(|| {
            groups.push((name, Value::List(Vec::new())));
            groups.len() - 1
        });
        if let Some((_, Value::List(list))) = groups.get_mut(at) {
            each_data(record, |data| list.push(data));
        }
    }
    if groups.is_empty() { Value::Null } else { Value::Object(groups) }
}

/// How many answer records there are, where the list of answers has more entries.
pub(super) fn answer_records(transaction: &DnsTransaction) -> Value<'_> {
    let answers = either(transaction).map(DnsMessage::answers).unwrap_or_default();
    let several = answers.iter().any(|record| record.texts().nth(1).is_some());
    if several { Value::from(answers.len() as u64) } else { Value::Null }
}

/// The data of a record: each string of a TXT record, the presentation form of others.
fn each_data<'a>(record: &'a Record, mut data: impl FnMut(Value<'a>)) {
    let mut texts = record.texts().peekable();
    if record.rtype() == RecordType::TXT && texts.peek().is_some() {
        texts.for_each(|text| data(text.into()));
    } else {
        data(record.rdata().to_string().into());
    }
}
