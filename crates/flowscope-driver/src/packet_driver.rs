use flowscope_core::{Ledger, PacketView, Progress, Timestamp};
use flowscope_track::{Clock, EndReason};

/// Packets in, events out: what all drivers have in common.
///
/// Call [`poll_event`](Self::poll_event) until it returns `None` after each other call;
/// [`poll_timeout`](Self::poll_timeout) is then the time of the next
/// [`handle_timeout`](Self::handle_timeout). The drivers of this crate have these methods as their own
/// too, so that the trait is needed by generic code only.
///
/// ```
/// use flowscope_core::{PacketSource, Progress};
/// use flowscope_driver::PacketDriver;
/// use flowscope_track::EndReason;
///
/// /// Gives all packets of a source to a driver, and all its events to `take`.
/// fn drive<S: PacketSource, D: PacketDriver>(
///     source: &mut S,
///     driver: &mut D,
///     mut take: impl FnMut(D::Event),
/// ) -> Result<(), S::Error> {
///     loop {
///         let read = source.next_batch(&mut |packets| driver.handle_batch(packets))?;
///         if read == 0 && driver.finish_some(EndReason::EndOfInput, 1024) == Progress::Done {
///             return Ok(());
///         }
///         while let Some(event) = driver.poll_event() {
///             take(event);
///         }
///     }
/// }
/// ```
pub trait PacketDriver {
    /// What comes out.
    type Event;

    /// Takes one packet.
    fn handle_packet(&mut self, packet: PacketView<'_>) {
        self.handle_batch(&[packet]);
    }

    /// Takes packets in capture order. Events do not depend on how packets are cut into batches.
    fn handle_batch(&mut self, packets: &[PacketView<'_>]);

    /// Returns the next event, in order; `None` once the queue is empty.
    fn poll_event(&mut self) -> Option<Self::Event>;

    /// The packet time at which [`handle_timeout`](Self::handle_timeout) next has work if no packet
    /// comes before.
    fn poll_timeout(&self) -> Option<Timestamp>;

    /// Handles packet time that has reached `now` without a packet. Does a bounded amount of work:
    /// [`Progress::More`] if more is due at `now`.
    fn handle_timeout(&mut self, now: Timestamp) -> Progress;

    /// Ends at most `most` flows, in order of their ids: [`Progress::More`] if there may be more. Drain
    /// [`poll_event`](Self::poll_event) between calls, and the ends of a million flows are never in
    /// memory at once.
    fn finish_some(&mut self, reason: EndReason, most: usize) -> Progress;

    /// Ends every flow.
    fn finish(&mut self, reason: EndReason) {
        while self.finish_some(reason, usize::MAX) == Progress::More {}
    }

    /// The packet ledger: what became of every packet. Fragments that wait for the rest of their
    /// datagram are in no entry yet, see [`pending_fragments`](Self::pending_fragments).
    fn packets(&self) -> Ledger;

    /// The payload ledger, in bytes: what became of the payload of every tracked packet. Bytes that are
    /// [`pending`](Self::pending) are in no entry yet.
    fn bytes(&self) -> Ledger;

    /// Returns the number of fragments that wait for the rest of their datagram.
    fn pending_fragments(&self) -> u64;

    /// Payload bytes that are neither delivered nor lost yet.
    fn pending(&self) -> u64;

    /// Entries in the flow table, lingering ones included.
    fn flows(&self) -> usize;

    /// The packet clock: number of packets, watermark, timestamps that went backwards.
    fn clock(&self) -> &Clock;

    /// Bytes of memory held, by capacity.
    fn heap_bytes(&self) -> usize;
}
