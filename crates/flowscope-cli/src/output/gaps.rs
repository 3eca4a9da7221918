//! The gaps of a stream.

use flowscope::output::json::{self, Object};

/// Offset and length of each gap of a stream, in their order; of those beyond [`MAX_GAPS`], the number.
#[derive(Clone, Debug, Default)]
pub(super) struct Gaps {
    listed: Vec<(u64, u64)>,
    more: u64,
    /// End of the last one.
    end: u64,
}

/// So many gaps of a stream are listed.
const MAX_GAPS: usize = 1 << 16;

impl Gaps {
    /// Adds a gap. One that begins where the last ends makes that longer.
    pub(super) fn add(&mut self, offset: u64, len: u64) {
        let continues = !self.is_empty() && offset == self.end;
        self.end = offset.saturating_add(len);
        if !continues {
            match self.listed.len() {
                ..MAX_GAPS => self.listed.push((offset, len)),
                _ => self.more += 1,
            }
        } else if self.more == 0
            && let Some((_, before)) = self.listed.last_mut()
        {
            *before = before.saturating_add(len);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }

    /// The members `gaps`, and `more_gaps` if not all are listed.
    pub(super) fn put(&self, object: &mut Object<'_>) {
        object.all("gaps", self.listed.iter(), |(at, len), out| json::pair(*at, *len, out));
        if self.more > 0 {
            object.put("more_gaps", self.more);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(gaps: &Gaps) -> String {
        let mut out = Vec::new();
        json::object(&mut out, |object| gaps.put(object));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn gaps_that_touch_are_one() {
        let mut gaps = Gaps::default();
        assert_eq!(printed(&gaps), r#"{"gaps":[]}"#);
        // A gap at the beginning continues none.
        [(0, 5), (5, 5), (11, 1)].into_iter().for_each(|(at, len)| gaps.add(at, len));
        assert_eq!(printed(&gaps), r#"{"gaps":[[0,10],[11,1]]}"#);
    }

    #[test]
    fn a_list_of_gaps_ends_and_the_rest_is_counted() {
        let mut gaps = Gaps::default();
        for n in 0..MAX_GAPS as u64 + 3 {
            // Each in two parts.
            gaps.add(n * 3, 1);
            gaps.add(n * 3 + 1, 1);
        }
        assert_eq!(gaps.listed.len(), MAX_GAPS);
        assert!(gaps.listed.iter().all(|(_, len)| *len == 2));
        assert!(printed(&gaps).ends_with(r#"],"more_gaps":3}"#));
        gaps.add(u64::MAX, u64::MAX);
        assert_eq!(gaps.more, 4);
    }
}
