use bytes::{Bytes, BytesMut};

/// Copies pieces of one flow, several into one allocation.
///
/// Blocks grow with the amount of payload, so that a flow with little payload holds little memory.
/// A block is reused when all of its pieces were read and dropped.
#[derive(Debug, Default)]
pub(crate) struct Block {
    free: BytesMut,
    /// Size of the allocation, in bytes.
    size: usize,
}

const FIRST: usize = 1024;
const LARGEST: usize = 16 * 1024;

impl Block {
    /// A copy of `bytes`.
    pub(crate) fn copy(&mut self, bytes: &[u8]) -> Bytes {
        if bytes.len() > LARGEST / 2 {
            return Bytes::copy_from_slice(bytes);
        }
        if self.free.capacity() < bytes.len() && !self.free.try_reclaim(bytes.len()) {
            self.size = (self.size * 2).max(bytes.len().next_power_of_two()).clamp(FIRST, LARGEST);
            self.free = BytesMut::with_capacity(self.size);
        }
        self.free.extend_from_slice(bytes);
        self.free.split().freeze()
    }

    /// Size of the current allocation, in bytes.
    pub(crate) fn size(&self) -> usize {
        self.size
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_equal_and_blocks_stay_small() {
        let (mut block, mut kept) = (Block::default(), Vec::new());
        for len in [0, 1, 100, 1023, 1024, 1025, 8192, 8193, 65535, 1, 1460] {
            let bytes: Vec<u8> = (0..len).map(|i| i as u8).collect();
            kept.push((block.copy(&bytes), bytes));
            assert!(block.size() <= LARGEST);
        }
        for (copy, bytes) in kept {
            assert_eq!(copy, bytes);
        }
    }

    #[test]
    fn a_block_whose_pieces_are_gone_is_used_again() {
        let mut block = Block::default();
        let place = block.copy(&[1; 1000]).as_ptr();
        assert_eq!(block.copy(&[2; 1000]).as_ptr(), place);
        assert_eq!(block.size(), FIRST);
    }
}
