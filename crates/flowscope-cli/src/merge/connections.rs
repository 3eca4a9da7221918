//! Which records are of one connection.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use flowscope::core::{L4Proto, Path, Timestamp};
use flowscope::extract::{FiveTupleKey, Scope, ScopedKey};
use flowscope::output::{FlowRecord, MergedRecord};
use flowscope::track::Macs;

use crate::error::Failure;

/// What records of one connection have in common.
pub(super) struct Rules {
    /// The silence that may be between them, if that is not the idle timeout of the protocol.
    pub(super) gap: Option<Duration>,
    /// The same behind a connection that has ended.
    pub(super) linger: Duration,
    /// Whether their VLANs and virtual networks may differ.
    pub(super) any_vlan: bool,
    /// Whether there are several inputs, some of which go on when others have ended.
    pub(super) several: bool,
}

type Key = ScopedKey<FiveTupleKey>;

/// The connections of records that come in the order in which they start.
pub(super) struct Connections {
    rules: Rules,
    /// The last connection of each key.
    last: HashMap<Key, u64>,
    /// Connections by number, that is by start: those that are not written.
    waiting: BTreeMap<u64, Connection>,
    /// How many there were, and how many of them are written.
    begun: u64,
    written: u64,
    /// The latest time in any record.
    now: Timestamp,
}

struct Connection {
    key: Key,
    merged: MergedRecord,
}

/// Takes what is written.
type Take<'a> = &'a mut dyn FnMut(FlowRecord) -> Result<(), Failure>;

impl Connections {
    pub(super) fn new(rules: Rules) -> Self {
        Connections {
            rules,
            last: HashMap::new(),
            waiting: BTreeMap::new(),
            begun: 0,
            written: 0,
            now: Timestamp::ZERO,
        }
    }

    /// Takes the next record, and writes connections that no later one can be of.
    pub(super) fn take(&mut self, record: FlowRecord, out: Take<'_>) -> Result<(), Failure> {
        self.now = self.now.max(record.end).max(record.header.ts);
        let start = record.start;
        self.write(out, Some(start))?;
        let key = self.key(&record);
        let Rules { linger, several, .. } = self.rules;
        let idle = self.rules.idle(record.header.key.proto());
        if let Some(last) = self.last.get(&key).and_then(|last| self.waiting.get_mut(last)) {
            if last.merged.takes(&record, idle, linger) {
                last.merged.add(record);
                return Ok(());
            }
            if several {
                last.merged.followed_at(start, idle, linger);
            }
        }
        self.begun += 1;
        self.last.insert(key, self.begun);
        self.waiting.insert(self.begun, Connection { key, merged: MergedRecord::new(record) });
        Ok(())
    }

    /// Writes the rest. Returns how many connections there were.
    pub(super) fn finish(mut self, out: Take<'_>) -> Result<u64, Failure> {
        self.write(out, None)?;
        Ok(self.written)
    }

    /// Bytes of the connections that are kept.
    pub(super) fn kept(&self) -> usize {
        self.waiting.len() * CONNECTION
    }

    /// Writes connections in the order of their starts, up to the first of which records may come that start at this time
    /// or later; all if none come.
    fn write(&mut self, out: Take<'_>, start: Option<Timestamp>) -> Result<(), Failure> {
        while let Some(first) = self.waiting.first_entry() {
            let (number, connection) = (*first.key(), first.get());
            let is_last = self.last.get(&connection.key) == Some(&number);
            let idle = self.rules.idle(connection.merged.key().proto());
            let silence = |start: Timestamp| start.since(connection.merged.end());
            if is_last && start.is_some_and(|start| silence(start) <= idle.max(self.rules.linger)) {
                break;
            }
            let Connection { key, mut merged } = first.remove();
            if is_last {
                self.last.remove(&key);
                if self.rules.several {
                    merged.silent_until(start.unwrap_or(self.now), idle, self.rules.linger);
                }
            }
            let mut record = merged.into_record();
            self.written += 1;
            record.header.flow_id = self.written;
            out(record)?;
        }
        Ok(())
    }

    fn key(&self, record: &FlowRecord) -> Key {
        let path = record.header.path.as_deref().filter(|_| !self.rules.any_vlan);
        ScopedKey::new(record.header.key, Scope::of(path.unwrap_or(&Path::EMPTY)))
    }
}

impl Rules {
    /// The silence that may be between records of a connection.
    fn idle(&self, proto: L4Proto) -> Duration {
        self.gap.unwrap_or(match proto {
            L4Proto::Tcp => Duration::from_secs(300),
            L4Proto::Udp => Duration::from_secs(60),
            _ => Duration::from_secs(30),
        })
    }
}

/// Bytes that a record takes at most, while it waits and as a connection.
pub(super) fn size(record: &FlowRecord) -> usize {
    let path = record.header.path.as_ref().map_or(0, |_| size_of::<Path>());
    let macs = record.macs.as_ref().map_or(0, |_| size_of::<Macs>());
    CONNECTION + path + macs
}

/// Bytes that a connection takes, which is more than a record does.
const CONNECTION: usize = size_of::<(u64, Connection)>() + size_of::<(Key, u64)>();
