use crate::PacketView;

/// Where packets come from: a file, a ring, a socket.
///
/// Packets are lent, not given: the views passed to the callback die with the call, so a source
/// may hand out slices of its own buffer or of a ring block that it returns to the kernel
/// afterwards.
pub trait PacketSource {
    /// What can go wrong. A file that is damaged half way first yields all packets before the
    /// damage, then this.
    type Error;

    /// Lends the next packets to `lend`, in one call and in capture order, and says how many there
    /// were. `Ok(0)` means that a file has ended, or that a live source has nothing at the moment;
    /// `lend` is not called then.
    ///
    /// # Errors
    ///
    /// When a packet cannot be had. Each failure is reported once; a source that can go on after it
    /// (several files as one) does so at the next call, one that cannot gives `Ok(0)` from then on.
    /// So a caller that wants all there is goes on until `Ok(0)`, and no source fails for ever.
    fn next_batch(&mut self, lend: &mut dyn FnMut(&[PacketView<'_>]))
    -> Result<usize, Self::Error>;
}
