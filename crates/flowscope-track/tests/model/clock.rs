use std::time::Duration;

use flowscope_core::Timestamp;

/// TIME-1: the watermark, as the documentation of `Clock` defines it.
#[derive(Clone, Debug)]
pub struct Clock {
    pub jump: Duration,
    pub confirm: usize,
    /// Packets counted so far.
    pub packet: u64,
    /// The highest believable timestamp; none before the first packet.
    pub watermark: Option<Timestamp>,
    /// Times too far ahead to be believed, as many in a row as agree with each other.
    suspects: Vec<Timestamp>,
    /// Number of the first of those believed last.
    pub believed_from: u64,
}

impl Clock {
    pub fn new(jump: Duration, confirm: u32) -> Self {
        let confirm = confirm.max(1) as usize;
        Clock { jump, confirm, packet: 0, watermark: None, suspects: Vec::new(), believed_from: 0 }
    }

    pub fn observe(&mut self, ts: Timestamp) {
        self.packet += 1;
        let far_ahead = self.watermark.is_some_and(|watermark| ts.since(watermark) > self.jump);
        if !far_ahead {
            self.watermark = self.watermark.max(Some(ts));
            self.suspects.clear();
            return;
        }
        self.suspects.push(ts);
        let low = *self.suspects.iter().min().expect("one was just added");
        let high = *self.suspects.iter().max().expect("one was just added");
        if high.since(low) > self.jump {
            self.suspects = vec![ts];
        }
        if self.suspects.len() >= self.confirm {
            self.watermark = self.suspects.iter().max().copied();
            self.believed_from = self.packet + 1 - self.suspects.len() as u64;
            self.suspects.clear();
        }
    }

    pub fn advance(&mut self, now: Timestamp) {
        self.watermark = self.watermark.max(Some(now));
    }

    /// Whether the latest packet's time is not believed yet.
    pub fn is_suspicious(&self) -> bool {
        !self.suspects.is_empty()
    }

    pub fn now(&self) -> Timestamp {
        self.watermark.unwrap_or_default()
    }
}
