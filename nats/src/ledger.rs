//! What became of all batches.

use std::fmt;
use std::ops::{AddAssign, Sub};

use crate::message::Message;

/// Batches, and the records in them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Count {
    pub(crate) batches: u64,
    pub(crate) rows: u64,
}

impl Count {
    pub(crate) fn of(message: &Message) -> Self {
        Count { batches: 1, rows: message.rows }
    }
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Count) {
        self.batches += other.batches;
        // Those of a file or a message may be any number.
        self.rows = self.rows.saturating_add(other.rows);
    }
}

impl Sub for Count {
    type Output = Count;

    fn sub(self, other: Count) -> Count {
        Count {
            batches: self.batches.saturating_sub(other.batches),
            rows: self.rows.saturating_sub(other.rows),
        }
    }
}

impl fmt::Display for Count {
    /// `2 batches (17 records)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |number: u64, one: &'static str, more: &'static str| {
            if number == 1 { one } else { more }
        };
        let Count { batches, rows } = *self;
        let (batch, record) =
            (plural(batches, "batch", "batches"), plural(rows, "record", "records"));
        write!(f, "{batches} {batch} ({rows} {record})")
    }
}

/// What became of batches that were published, or are to be.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Ledger {
    /// Made by this process.
    pub(crate) made: Count,
    /// Left by an earlier process, in the spool.
    pub(crate) found: Count,
    /// Acknowledged by the server.
    pub(crate) acknowledged: Count,
    /// Those of them that it had already.
    pub(crate) duplicates: Count,
    /// Dropped since the spool was full, or could not be written.
    pub(crate) dropped: Count,
    /// Larger than a message may be.
    pub(crate) refused: Count,
    /// Batches of the spool that could not be read.
    pub(crate) damaged: u64,
    /// Batches that are left in the spool for the next run.
    pub(crate) left: u64,
}

impl Ledger {
    /// What is not in the stream.
    pub(crate) fn missing(&self) -> Option<String> {
        let mut parts = Vec::new();
        if self.dropped != Count::default() {
            parts.push(format!("{} dropped", self.dropped));
        }
        if self.refused != Count::default() {
            parts.push(format!("{} too large for a message", self.refused));
        }
        if self.damaged > 0 {
            parts.push(format!("{} unreadable in the spool", self.damaged));
        }
        if self.left > 0 {
            parts.push(format!("{} left in the spool, for the next run", self.left));
        }
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}

impl fmt::Display for Ledger {
    /// One line, for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} made", self.made)?;
        if self.found != Count::default() {
            write!(f, ", {} found in the spool", self.found)?;
        }
        write!(f, "; {} acknowledged", self.acknowledged)?;
        if self.duplicates != Count::default() {
            write!(f, ", of which the stream had {}", self.duplicates)?;
        }
        match self.missing() {
            Some(missing) => write!(f, "; {missing}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_what_there_is() {
        let count = |batches, rows| Count { batches, rows };
        let mut ledger =
            Ledger { made: count(2, 17), acknowledged: count(2, 17), ..Ledger::default() };
        assert_eq!(
            ledger.to_string(),
            "2 batches (17 records) made; 2 batches (17 records) acknowledged"
        );
        assert_eq!(ledger.missing(), None);
        ledger.found = count(1, 1);
        ledger.duplicates = count(1, 9);
        ledger.dropped = count(1, 1);
        ledger.left = 3;
        let line = "2 batches (17 records) made, 1 batch (1 record) found in the spool; 2 batches (17 records) \
            acknowledged, of which the stream had 1 batch (9 records); 1 batch (1 record) dropped; 3 left in the spool, for the \
            next run";
        assert_eq!(ledger.to_string(), line);
    }
}
