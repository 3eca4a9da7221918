//! A batch of records as a message: its subject, its headers, and what makes it the same batch again.

use std::fmt::Write as _;

use async_nats::HeaderMap;
use bytes::Bytes;
use sha2::{Digest as _, Sha256};

/// What all subjects begin with.
pub(crate) const PREFIX: &str = "flowscope";

/// Version of the headers and of the payload.
const VERSION: &str = "1";

const VERSION_HEADER: &str = "Flowscope-Version";
const RUN_HEADER: &str = "Flowscope-Run";
const NUMBER_HEADER: &str = "Flowscope-Batch";
const ROWS_HEADER: &str = "Flowscope-Rows";

/// Where a batch comes from: batches of one source have numbers from 0, without gaps unless some were dropped.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Source {
    pub(crate) site: String,
    /// Name of the run of the sensor.
    pub(crate) run: String,
    pub(crate) partition: u16,
}

/// A batch of records of one kind.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Message {
    pub(crate) source: Source,
    /// The kind of record: `flow`, or the name of a protocol.
    pub(crate) record: String,
    pub(crate) number: u64,
    pub(crate) rows: u64,
    /// An Arrow IPC stream, compressed.
    pub(crate) payload: Bytes,
}

impl Message {
    /// `flowscope.SITE.RECORD.PARTITION`.
    pub(crate) fn subject(&self) -> String {
        let Message { source: Source { site, partition, .. }, record, .. } = self;
        format!("{PREFIX}.{site}.{record}.{partition}")
    }

    /// By which the server knows the message again.
    pub(crate) fn id(&self) -> String {
        let Source { site, run, partition } = &self.source;
        // No name has a zero byte in it.
        let named = format!("{site}\0{run}\0{partition}\0{}", self.number);
        let digest = Sha256::digest(named);
        digest.iter().take(16).fold(String::with_capacity(32), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    /// The headers with which it is published to this stream.
    pub(crate) fn headers(&self, stream: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(async_nats::header::NATS_MESSAGE_ID, self.id());
        headers.insert(async_nats::header::NATS_EXPECTED_STREAM, stream);
        headers.insert("Content-Type", "application/vnd.apache.arrow.stream");
        headers.insert("Content-Encoding", "zstd");
        headers.insert(VERSION_HEADER, VERSION);
        headers.insert(RUN_HEADER, self.source.run.as_str());
        headers.insert(NUMBER_HEADER, self.number.to_string());
        headers.insert(ROWS_HEADER, self.rows.to_string());
        headers
    }

    /// The message that was published with this subject and these headers, or what is wrong with it.
    pub(crate) fn received(
        subject: &str,
        headers: Option<&HeaderMap>,
        payload: Bytes,
    ) -> Result<Self, &'static str> {
        let header =
            |name: &str| headers.and_then(|headers| headers.get(name)).map(|value| value.as_str());
        if header(VERSION_HEADER) != Some(VERSION) {
            return Err("it has no version that is known");
        }
        let run = header(RUN_HEADER).filter(|run| is_name(run)).ok_or("it names no run")?;
        let number = |name| header(name).and_then(|text| text.parse().ok());
        let mut parts = subject.split('.');
        let parts = [(); 5].map(|()| parts.next());
        let [Some(PREFIX), Some(site), Some(record), Some(partition), None] = parts else {
            return Err("its subject is not flowscope.SITE.RECORD.PARTITION");
        };
        if !is_name(site) || !is_name(record) {
            return Err("its subject has a name with other characters");
        }
        Ok(Message {
            source: Source {
                site: site.to_owned(),
                run: run.to_owned(),
                partition: partition.parse().map_err(|_| "its partition is no number")?,
            },
            record: record.to_owned(),
            number: number(NUMBER_HEADER).ok_or("it has no number")?,
            rows: number(ROWS_HEADER).ok_or("it does not say how many rows it has")?,
            payload,
        })
    }
}

/// Whether a name may be a part of a subject, and of the name of a file.
pub(crate) fn is_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=64).contains(&name.len()) && name.bytes().all(is_plain)
}

#[cfg(test)]
pub(crate) fn sample(number: u64, payload: &'static [u8]) -> Message {
    Message {
        source: Source { site: "site".to_owned(), run: "run".to_owned(), partition: 3 },
        record: "dns".to_owned(),
        number,
        rows: 2,
        payload: Bytes::from_static(payload),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_published_is_received() {
        let message = sample(7, b"payload");
        let headers = message.headers("STREAM");
        let subject = message.subject();
        assert_eq!(subject, "flowscope.site.dns.3");
        let received = Message::received(&subject, Some(&headers), message.payload.clone());
        assert_eq!(received, Ok(message));
    }

    #[test]
    fn what_is_no_batch_is_refused() {
        let message = sample(7, b"payload");
        let whole = message.headers("STREAM");
        let refused = |subject: &str, headers: Option<&HeaderMap>| {
            Message::received(subject, headers, Bytes::new()).is_err()
        };
        assert!(!refused("flowscope.a.b.0", Some(&whole)));
        for subject in [
            "",
            ".",
            "flowscope",
            "flowscope.a.b",
            "flowscope.a.b.0.c",
            "other.a.b.0",
            "flowscope..b.0",
            "flowscope.a.b.65536",
            "flowscope.a.b.-1",
            "flowscope.a/..b.0",
        ] {
            assert!(refused(subject, Some(&whole)), "{subject}");
        }
        assert!(refused("flowscope.a.b.0", None));
        for (name, value) in [
            (VERSION_HEADER, "2"),
            (RUN_HEADER, "../x"),
            (RUN_HEADER, ""),
            (NUMBER_HEADER, "-1"),
            (NUMBER_HEADER, "18446744073709551616"),
            (ROWS_HEADER, "two"),
        ] {
            let mut headers = whole.clone();
            headers.insert(name, value);
            assert!(refused("flowscope.a.b.0", Some(&headers)), "{name}: {value}");
        }
    }

    #[test]
    fn another_batch_has_another_id() {
        let message = sample(7, b"payload");
        let with = |change: fn(&mut Message)| {
            let mut other = message.clone();
            change(&mut other);
            other.id()
        };
        assert_eq!(message.id().len(), 32);
        assert_eq!(with(|other| other.payload = Bytes::new()), message.id());
        assert_ne!(with(|other| other.number = 8), message.id());
        assert_ne!(with(|other| other.source.partition = 4), message.id());
        assert_ne!(with(|other| other.source.run = "run2".to_owned()), message.id());
        assert_ne!(with(|other| other.source.site = "site2".to_owned()), message.id());
    }
}
