//! The two tables of HPACK (RFC 7541 §2.3).

use std::collections::VecDeque;

use crate::Field;

/// The static table (RFC 7541 appendix A).
const STATIC: [(&str, &str); 61] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];

/// The most bytes that the dynamic table is followed for, as RFC 7541 §4.1 counts them.
///
/// An encoder may be allowed more. What it has beyond is not known, and never another entry's.
pub(super) const MAX_TABLE: u32 = 64 * 1024;

/// The size until an encoder says another one (RFC 9113 §6.5.2).
const INITIAL: u32 = 4096;

/// What every entry counts beside its name and value (RFC 7541 §4.1).
const OVERHEAD: u32 = 32;

/// The entries that the encoder of one side has, newest first.
///
/// An index counts from the newest entry. So entries that were added since it was known what the encoder has are always
/// found, and those before are unknown. Where entries are evicted too late, an encoder names none of them.
#[derive(Clone, Debug)]
pub(super) struct Table {
    entries: VecDeque<Entry>,
    /// Bytes of all values.
    value_bytes: usize,
    size: u32,
    max: u32,
    /// Whether all entries of the encoder are here.
    is_whole: bool,
}

/// A field as the table has it: the value only of fields that are kept, and cut as they are.
#[derive(Clone, Debug)]
struct Entry {
    field: Field,
    name_len: u32,
    value: Option<Box<[u8]>>,
    size: u32,
}

/// What is at an index.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Found<'t> {
    /// This field: its value, the length of its name, and what it counts in a list of fields.
    Field { field: Field, value: &'t [u8], name_len: u32, size: u32 },
    /// A field that was not captured.
    Unknown,
    /// Nothing can be there.
    Nothing,
}

impl Default for Table {
    fn default() -> Self {
        Table { entries: VecDeque::new(), value_bytes: 0, size: 0, max: INITIAL, is_whole: true }
    }
}

/// What a field counts in the table, and in a list of fields (RFC 7541 §4.1, RFC 9113 §6.5.2).
pub(super) fn size_of(name_len: u32, value_len: u32) -> u32 {
    name_len.saturating_add(value_len).saturating_add(OVERHEAD)
}

impl Table {
    /// What is at an index: 1 to 61 is the static table, then come the entries, newest first (RFC 7541 §2.3.3).
    pub(super) fn find(&self, index: u32) -> Found<'_> {
        let Some(at) = (index as usize).checked_sub(1) else { return Found::Nothing };
        if let Some((name, value)) = STATIC.get(at) {
            let name_len = name.len() as u32;
            let size = size_of(name_len, value.len() as u32);
            let field = Field::of(name.as_bytes());
            return Found::Field { field, value: value.as_bytes(), name_len, size };
        }
        match self.entries.get(at - STATIC.len()) {
            Some(Entry { field: Field::Unknown, .. }) => Found::Unknown,
            Some(entry) => Found::Field {
                field: entry.field,
                value: entry.value.as_deref().unwrap_or_default(),
                name_len: entry.name_len,
                size: entry.size,
            },
            None if self.is_whole => Found::Nothing,
            None => Found::Unknown,
        }
    }

    /// Adds a field in front, and evicts from the back what has no room (RFC 7541 §4.4).
    pub(super) fn insert(&mut self, field: Field, name_len: u32, value: &[u8], size: u32) {
        if size > self.max {
            self.evict(0);
            if self.is_whole {
                return;
            }
        }
        let size = size.min(self.max);
        self.evict(self.max - size);
        let value: Option<Box<[u8]>> = field.is_kept().then(|| value.into());
        self.value_bytes += value.as_deref().map_or(0, <[u8]>::len);
        self.entries.push_front(Entry { field, name_len, value, size });
        self.size += size;
    }

    /// The encoder says how large its table is from now on (RFC 7541 §4.3).
    pub(super) fn resize(&mut self, max: u32) {
        // Of an empty table everything is known.
        self.is_whole = (self.is_whole || max == 0) && max <= MAX_TABLE;
        self.max = max.min(MAX_TABLE);
        self.evict(self.max);
    }

    /// It is not known any more what the encoder has.
    pub(super) fn forget(&mut self) {
        *self = Table { max: MAX_TABLE, is_whole: false, ..Table::default() };
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.entries.capacity() * std::mem::size_of::<Entry>() + self.value_bytes
    }

    /// Evicts the oldest entries until those that are left have no more than `room` bytes.
    fn evict(&mut self, room: u32) {
        while self.size > room
            && let Some(entry) = self.entries.pop_back()
        {
            self.size -= entry.size;
            self.value_bytes -= entry.value.as_deref().map_or(0, <[u8]>::len);
        }
        if self.entries.is_empty() {
            self.entries = VecDeque::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn insert(table: &mut Table, value: &str) {
        table.insert(Field::Path, 5, value.as_bytes(), size_of(5, value.len() as u32));
    }

    /// What is held, counted anew.
    #[track_caller]
    fn is_counted(table: &Table) {
        let values = table.entries.iter().filter_map(|entry| entry.value.as_deref());
        let entries = table.entries.capacity() * std::mem::size_of::<Entry>();
        assert_eq!(table.heap_bytes(), entries + values.map(<[u8]>::len).sum::<usize>());
    }

    #[track_caller]
    fn check(table: &Table, index: u32, value: &str) {
        let Found::Field { field: Field::Path, value: found, .. } = table.find(index) else {
            panic!("no path at {index}")
        };
        assert_eq!(found, value.as_bytes());
    }

    #[test]
    fn the_oldest_entries_are_evicted() {
        let mut table = Table::default();
        table.resize(80);
        for value in ["/a", "/b", "/c"] {
            insert(&mut table, value);
        }
        check(&table, 62, "/c");
        check(&table, 63, "/b");
        is_counted(&table);
        assert_eq!(table.find(64), Found::Nothing);
        table.resize(39);
        is_counted(&table);
        check(&table, 62, "/c");
        assert_eq!(table.find(63), Found::Nothing);
        // One that takes all of it has room.
        insert(&mut table, "/d");
        check(&table, 62, "/d");
        is_counted(&table);
        insert(&mut table, "/longer");
        assert_eq!(table.find(62), Found::Nothing);
        assert_eq!(table.heap_bytes(), 0);
    }

    #[test]
    fn entries_from_before_a_loss_are_unknown_and_those_behind_it_are_found() {
        let mut table = Table::default();
        insert(&mut table, "/before");
        table.forget();
        assert_eq!(table.find(62), Found::Unknown);
        insert(&mut table, "/a");
        insert(&mut table, "/b");
        check(&table, 62, "/b");
        check(&table, 63, "/a");
        assert_eq!(table.find(64), Found::Unknown);
        table.insert(Field::Unknown, 0, b"x", 33);
        assert_eq!(table.find(62), Found::Unknown);
        check(&table, 63, "/b");
        // An encoder that empties its table has no older entries.
        table.resize(0);
        table.resize(4096);
        assert_eq!(table.find(62), Found::Nothing);
    }

    #[test]
    fn a_table_up_to_the_bound_is_known_as_a_whole() {
        for (max, expected) in [(MAX_TABLE, Found::Nothing), (MAX_TABLE + 1, Found::Unknown)] {
            let mut table = Table::default();
            table.resize(max);
            insert(&mut table, "/a");
            assert_eq!(table.find(63), expected, "{max}");
        }
    }

    #[test]
    fn entries_beyond_the_bound_are_unknown() {
        let mut table = Table::default();
        table.resize(u32::MAX);
        for n in 0..3000 {
            insert(&mut table, &format!("/{n:04}"));
        }
        check(&table, 62, "/2999");
        assert_eq!(table.find(62 + 2999), Found::Unknown);
        assert!(table.heap_bytes() < 96 * 1024, "{}", table.heap_bytes());
        // One that has no room here has its place all the same.
        is_counted(&table);
        table.insert(Field::Path, 5, b"/large", u32::MAX);
        is_counted(&table);
        insert(&mut table, "/last");
        check(&table, 62, "/last");
        assert_eq!(table.find(64), Found::Unknown);
    }
}
