use std::fmt;
use std::sync::Arc;

use flowscope_core::Timestamp;

use crate::text::rfc3339;

/// The time zone in which text for people has times. All other formats have UTC.
///
/// This crate knows no zones: who does gives the offset for each time.
#[derive(Clone)]
pub struct Zone {
    name: Arc<str>,
    /// Seconds east of UTC at a time; `None` for UTC.
    offset: Option<Arc<Offset>>,
}

type Offset = dyn Fn(Timestamp) -> i32 + Send + Sync;

impl Zone {
    /// UTC.
    #[must_use]
    pub fn utc() -> Self {
        Zone { name: "UTC".into(), offset: None }
    }

    /// The zone of this name. `offset` is how many seconds its clocks are ahead of UTC at a time; negative west
    /// of Greenwich.
    #[must_use]
    pub fn new(name: &str, offset: impl Fn(Timestamp) -> i32 + Send + Sync + 'static) -> Self {
        Zone { name: name.into(), offset: Some(Arc::new(offset)) }
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is UTC.
    #[must_use]
    pub fn is_utc(&self) -> bool {
        self.offset.is_none()
    }

    /// The date and time of day to the second: `2026-01-02 03:04:05`. Times before 1970 are shown as its
    /// first second.
    #[must_use]
    pub fn to_the_second(&self, ts: Timestamp) -> String {
        let ahead = self.offset.as_ref().map_or(0, |offset| i64::from(offset(ts)) * 1_000_000_000);
        let text = rfc3339(Timestamp::from_nanos(ts.as_nanos().saturating_add_signed(ahead)));
        let (seconds, _) = text.as_str().split_once('.').unwrap_or_default();
        seconds.replace('T', " ")
    }
}

impl Default for Zone {
    fn default() -> Self {
        Zone::utc()
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Zone").field(&self.name).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_zone() {
        let ts = Timestamp::from_secs(1_767_323_045);
        assert_eq!(Zone::utc().to_the_second(ts), "2026-01-02 03:04:05");
        let zone = |hours: i32| Zone::new("there", move |_| hours * 3600);
        assert_eq!(zone(1).to_the_second(ts), "2026-01-02 04:04:05");
        assert_eq!(zone(-5).to_the_second(ts), "2026-01-01 22:04:05");
        assert_eq!(zone(-5).to_the_second(Timestamp::ZERO), "1970-01-01 00:00:00");
        let latest = zone(14).to_the_second(Timestamp::from_nanos(u64::MAX));
        assert_eq!(latest, "2554-07-21 23:34:33");
        assert!(Zone::utc().is_utc() && !zone(0).is_utc());
    }
}
