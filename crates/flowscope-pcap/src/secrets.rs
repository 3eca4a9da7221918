use std::fmt;

/// Secrets of encrypted connections, from a block of a pcapng file (draft-ietf-opsawg-pcapng §4.7).
///
/// `Debug` does not show them.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct DecryptionSecrets<'a> {
    /// Their format: [`TLS_KEY_LOG`](Self::TLS_KEY_LOG), or another number of the draft.
    pub kind: u32,
    /// The secrets, at most 1 MiB.
    pub data: &'a [u8],
}

impl DecryptionSecrets<'_> {
    /// The kind of a TLS key log: text in the format of NSS.
    pub const TLS_KEY_LOG: u32 = 0x544c_534b;
}

impl fmt::Debug for DecryptionSecrets<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DecryptionSecrets")
            .field("kind", &format_args!("{:#010x}", self.kind))
            .field("bytes", &self.data.len())
            .finish()
    }
}

/// Who takes secrets, and how many bytes there were.
pub(crate) struct SecretsSink {
    take: Box<dyn FnMut(DecryptionSecrets<'_>) + Send>,
    taken: usize,
    /// Blocks that were not passed on: damaged, too large, or too many.
    refused: u64,
}

impl SecretsSink {
    pub(crate) fn new(take: impl FnMut(DecryptionSecrets<'_>) + Send + 'static) -> Self {
        SecretsSink { take: Box::new(take), taken: 0, refused: 0 }
    }

    /// Passes on what a block holds, within the bounds; `None` is a block that is damaged.
    pub(crate) fn pass(&mut self, secrets: Option<DecryptionSecrets<'_>>) {
        match secrets {
            Some(secrets)
                if secrets.data.len() <= MAX_BLOCK
                    && self.taken.saturating_add(secrets.data.len()) <= MAX_ALL =>
            {
                self.taken += secrets.data.len();
                (self.take)(secrets);
            }
            _ => self.refused += 1,
        }
    }

    pub(crate) fn refused(&self) -> u64 {
        self.refused
    }
}

const MAX_BLOCK: usize = 1 << 20;
const MAX_ALL: usize = 16 << 20;
