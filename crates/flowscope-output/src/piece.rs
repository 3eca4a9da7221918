/// Text that is written with every record.
///
/// The first bytes are copied as a block: a copy of constant length is a few moves, where one of the right
/// length is a call.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    block: [u8; BLOCK],
    /// Bytes of the block that are text.
    len: usize,
    rest: Box<[u8]>,
}

/// Bytes of a block: most names of members fit into one, with quotes and colon.
const BLOCK: usize = 32;

impl Piece {
    pub(crate) fn new(text: &str) -> Self {
        let (first, rest) = text.as_bytes().split_at(text.len().min(BLOCK));
        let mut block = [0; BLOCK];
        block[..first.len()].copy_from_slice(first);
        Piece { block, len: first.len(), rest: rest.into() }
    }

    /// Appends the text.
    #[inline]
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let end = out.len() + self.len;
        out.extend_from_slice(&self.block);
        out.truncate(end);
        if self.len == BLOCK {
            out.extend_from_slice(&self.rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_written_as_it_is() {
        let text = "0123456789".repeat(10);
        for len in 0..=text.len() {
            let mut out = b"{".to_vec();
            Piece::new(&text[..len]).write(&mut out);
            assert_eq!(out, format!("{{{}", &text[..len]).into_bytes());
        }
    }
}
