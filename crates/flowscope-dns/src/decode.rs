use flowscope_core::{FlowSide, Timestamp};
use hickory_proto::rr::{self, RData, rdata::NULL};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder, Restrict};

use crate::message::Questions;
use crate::wire::{Budget, MAX_MESSAGE, Unreadable, be16, be32};
use crate::{
    Class, DnsConfig, DnsDefect, DnsMessage, DnsTransport, Edns, Header, Name, Question, Record,
    RecordType, Section, probe,
};

/// A message to be read, and what is known about it.
pub(crate) struct RawMessage<'a> {
    pub(crate) side: FlowSide,
    pub(crate) ts: Timestamp,
    pub(crate) transport: DnsTransport,
    /// What was captured of it.
    pub(crate) bytes: &'a [u8],
    /// Bytes it had on the wire.
    pub(crate) len: u32,
}

/// Reads a message as far as it can be read. `None` if it is none: too short for a header, or one
/// that no DNS sender writes.
///
/// Time and memory are linear in the bytes: each record takes at least eleven of them, and names
/// are paid for from a [`Budget`].
pub(crate) fn decode(raw: &RawMessage<'_>, config: &DnsConfig) -> Option<DnsMessage> {
    let bytes = raw.bytes.get(..MAX_MESSAGE).unwrap_or(raw.bytes);
    let header = Header::read(bytes)?;
    if !probe::plausible(header, bytes, raw.len) {
        return None;
    }
    let mut message = DnsMessage {
        side: raw.side,
        ts: raw.ts,
        transport: raw.transport,
        len: raw.len,
        header,
        edns: None,
        defect: None,
        trailing: 0,
        questions: Questions::One(None),
        records: Vec::new(),
        ends: [0; 2],
    };
    let cut = (bytes.len() as u64) < u64::from(raw.len);
    let mut body =
        Body { bytes, at: Header::LEN, budget: Budget::of(bytes), last: None, forward: false };
    let read = body.read_into(&mut message, config);
    if let Err(stopped) = read {
        // The reason why reading stopped weighs more than a record that was read half.
        message.defect = Some(stopped.why.defect(cut, stopped.section));
    } else {
        message.trailing = u32::try_from(bytes.len() - body.at).unwrap_or(u32::MAX);
    }
    if body.forward {
        message.defect.get_or_insert(DnsDefect::ForwardPointer);
    }
    Some(message)
}

/// Where reading stopped, and why.
struct Stopped {
    section: Section,
    why: Unreadable,
}

struct Body<'a> {
    bytes: &'a [u8],
    at: usize,
    budget: Budget,
    /// Where the name of the last record is, if that was a pointer and nothing else.
    last: Option<usize>,
    /// Whether a name pointed forwards.
    forward: bool,
}

impl Body<'_> {
    fn read_into(&mut self, message: &mut DnsMessage, config: &DnsConfig) -> Result<(), Stopped> {
        let [questions, answers, authorities, additionals] = message.header.counts;
        for _ in 0..questions {
            if message.questions().len() >= config.max_records {
                message.defect = Some(DnsDefect::TooManyRecords);
                self.at = self.bytes.len();
                return Ok(());
            }
            let question = self.question();
            message
                .questions
                .push(question.map_err(|why| Stopped { section: Section::Question, why })?);
        }
        let sections = [
            (Section::Answer, answers),
            (Section::Authority, authorities),
            (Section::Additional, additionals),
        ];
        for (index, (section, count)) in sections.into_iter().enumerate() {
            for left in (1..=count).rev() {
                if message.records.len() >= config.max_records {
                    message.defect = Some(DnsDefect::TooManyRecords);
                    self.at = self.bytes.len();
                    return Ok(());
                }
                let record = self.record(section, message);
                if let Some(record) = record.map_err(|why| Stopped { section, why })? {
                    if message.records.is_empty() {
                        // Room for what mostly comes; a count is a word of the sender's, no size.
                        message.records.reserve_exact(usize::from(left.min(8)));
                    }
                    message.records.push(record);
                    message.ends.iter_mut().skip(index).for_each(|end| *end += 1);
                }
            }
        }
        Ok(())
    }

    fn question(&mut self) -> Result<Question, Unreadable> {
        let name = self.name()?;
        let (rtype, class) = (be16(self.bytes, self.at), be16(self.bytes, self.at + 2));
        let (Some(rtype), Some(class)) = (rtype, class) else { return Err(Unreadable::Short) };
        self.at += 4;
        Ok(Question { name, rtype: RecordType(rtype), class: Class(class) })
    }

    /// The next record; `None` if it is OPT, which goes elsewhere.
    fn record(
        &mut self,
        section: Section,
        message: &mut DnsMessage,
    ) -> Result<Option<Record>, Unreadable> {
        let (name, pointer) = self.owner(message)?;
        let word = |at| be16(self.bytes, self.at + at).ok_or(Unreadable::Short);
        let (rtype, class, len) = (RecordType(word(0)?), Class(word(2)?), word(8)?);
        let ttl = be32(self.bytes, self.at + 4).ok_or(Unreadable::Short)?;
        let from = self.at + 10;
        let to = from + usize::from(len);
        let data = self.bytes.get(from..to).ok_or(Unreadable::Short)?;
        self.at = to;
        if rtype == RecordType::OPT {
            if section == Section::Additional && message.edns.is_none() {
                message.edns = Some(Edns::read(class, ttl, data));
            } else {
                message.defect.get_or_insert(DnsDefect::MisplacedOpt);
            }
            return Ok(None);
        }
        let known = rr::RecordType::from(rtype.0);
        let data = match self.data(rtype, from, to)? {
            Some(data) => data,
            None => {
                message.defect.get_or_insert(DnsDefect::RecordData);
                RData::Unknown { code: known, rdata: NULL::with(data.to_vec()) }
            }
        };
        self.last = pointer;
        Ok(Some(Record { name, rtype, class, ttl, data }))
    }

    /// The name of a record and, if it is a pointer, where to. Most point to the first question or
    /// to where the record before did: that name is there already.
    fn owner(&mut self, message: &DnsMessage) -> Result<(Name, Option<usize>), Unreadable> {
        let pointer = be16(self.bytes, self.at).filter(|word| *word >= 0xc000);
        let pointer = pointer.map(|word| usize::from(word & 0x3fff));
        let known = match pointer {
            Some(Header::LEN) => message.questions().first().map(|question| &question.name),
            Some(target) if self.last == Some(target) => message.records.last().map(|r| &r.name),
            _ => None,
        };
        let Some(known) = known else { return Ok((self.name()?, pointer)) };
        self.budget.spend(2 + usize::from(known.0.num_labels()))?;
        self.at += 2;
        Ok((known.clone(), pointer))
    }

    /// The data of a record, `None` if it does not fit its type.
    fn data(
        &mut self,
        rtype: RecordType,
        from: usize,
        to: usize,
    ) -> Result<Option<RData>, Unreadable> {
        // Nothing behind the record is in reach of its data.
        let bytes = self.bytes.get(..to).unwrap_or(self.bytes);
        let known = rr::RecordType::from(rtype.0);
        let Some(len) = u16::try_from(to - from).ok().filter(|len| *len > 0) else {
            return Ok(Some(RData::Update0(known)));
        };
        match self.check_names(rtype, bytes, from) {
            Err(Unreadable::TooComplex) => return Err(Unreadable::TooComplex),
            Err(Unreadable::Short | Unreadable::Malformed) => return Ok(None),
            Ok(()) => {}
        }
        let Some(mut decoder) = decoder_at(bytes, from) else { return Ok(None) };
        Ok(RData::read(&mut decoder, known, Restrict::new(len)).ok())
    }

    /// Walks over the names within the data of those types whose data the library looks into.
    fn check_names(
        &mut self,
        rtype: RecordType,
        bytes: &[u8],
        from: usize,
    ) -> Result<(), Unreadable> {
        /// ANAME has no number of its own; the library reads it at this one.
        const ANAME: RecordType = RecordType(65305);
        let at = match rtype {
            RecordType::NS | RecordType::CNAME | RecordType::PTR | RecordType::TSIG | ANAME => from,
            RecordType::MX | RecordType::SVCB | RecordType::HTTPS => from + 2,
            RecordType::SRV => from + 6,
            RecordType::SOA => self.budget.walk(bytes, from)?.end,
            RecordType::NAPTR => {
                // Order, preference, three strings.
                let mut at = from + 4;
                for _ in 0..3 {
                    at += 1 + usize::from(*bytes.get(at).ok_or(Unreadable::Short)?);
                }
                at
            }
            _ => return Ok(()),
        };
        self.budget.walk(bytes, at).map(drop)
    }

    fn name(&mut self) -> Result<Name, Unreadable> {
        let walked = self.budget.walk(self.bytes, self.at)?;
        // The library goes backwards only, so it is led to where it can begin.
        self.forward |= walked.forward.is_some();
        let at = walked.forward.unwrap_or(self.at);
        let mut decoder = decoder_at(self.bytes, at).ok_or(Unreadable::Short)?;
        let name = rr::Name::read(&mut decoder).map_err(|_| Unreadable::Malformed)?;
        debug_assert!(at != self.at || decoder.index() == walked.end, "both walked the same name");
        self.at = walked.end;
        Ok(Name(name))
    }
}

/// The library's decoder, at an offset. Its own way to move there slices without a check.
fn decoder_at(bytes: &[u8], at: usize) -> Option<BinDecoder<'_>> {
    let offset = u16::try_from(at).ok().filter(|_| at <= bytes.len())?;
    Some(BinDecoder::new(bytes).clone(offset))
}

#[cfg(test)]
mod tests;
