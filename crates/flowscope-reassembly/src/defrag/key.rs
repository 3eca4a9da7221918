use std::hash::{Hash, Hasher};

use flowscope_core::Path;

/// IP version of a datagram. Each has its own timeout, and therefore its own queue.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum Family {
    V4,
    V6,
}

/// Identity of a datagram.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Key {
    pub(super) addrs: [[u64; 2]; 2],
    pub(super) id: u32,
    pub(super) family: Family,
    pub(super) protocol: u8,
    pub(super) path: Path,
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for half in self.addrs.as_flattened() {
            state.write_u64(*half);
        }
        let family = u64::from(self.family == Family::V6);
        state.write_u64(u64::from(self.id) | u64::from(self.protocol) << 32 | family << 40);
        for layer in self.path.iter() {
            state.write_u64(u64::from(layer.id) | (layer.layer as u64) << 32);
        }
    }
}

/// The largest payload that the 16-bit length field allows. In IPv4 the field includes the header, in IPv6
/// the extension headers.
pub(super) fn max_payload(family: Family, header_len: usize) -> usize {
    let counted = match family {
        Family::V4 => header_len,
        Family::V6 => header_len.saturating_sub(40),
    };
    usize::from(u16::MAX).saturating_sub(counted)
}
