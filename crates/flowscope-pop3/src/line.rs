/// Bytes of a line that are kept; the rest of a longer one is dropped.
pub(crate) const MAX_LINE: usize = 2048;

/// The lines of one side.
#[derive(Clone, Debug, Default)]
pub(crate) struct Line {
    /// The start of a line whose end is still to come.
    start: Vec<u8>,
    is_long: bool,
}

impl Line {
    /// Adds bytes that hold at most one line feed, at their end. Gives the line that ends with it, without
    /// its end, and whether it was longer than what is kept of it.
    pub(crate) fn push<'a>(&'a mut self, part: &'a [u8]) -> Option<(&'a [u8], bool)> {
        let is_end = part.ends_with(b"\n");
        let room = MAX_LINE - self.start.len();
        self.is_long |= part.len() > room;
        let kept = &part[..part.len().min(room)];
        let line = if is_end && self.start.is_empty() {
            kept
        } else {
            self.start.extend_from_slice(kept);
            &self.start
        };
        is_end.then(|| (without_end(line), self.is_long))
    }

    /// Makes room for the next line, behind one that has ended.
    pub(crate) fn clear(&mut self) {
        self.start.clear();
        self.is_long = false;
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.start.capacity()
    }
}

fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_kept_in_part_however_it_is_cut() {
        let text = [&[b'a'; MAX_LINE + 5][..], b"\r\n"].concat();
        for cut in [1, 7, MAX_LINE, text.len()] {
            let mut line = Line::default();
            let mut found = None;
            for part in text.chunks(cut) {
                found = line.push(part).map(|(line, is_long)| (line.to_vec(), is_long));
            }
            assert_eq!(found, Some((vec![b'a'; MAX_LINE], true)), "{cut}");
            line.clear();
            assert_eq!(line.push(b"b\n"), Some((&b"b"[..], false)));
        }
    }
}
