use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use flowscope_core::{Ledger, PacketView, ShuntKey, ShuntStart, Shunted, Timestamp, ToShuntKey};
use flowscope_driver::{PacketDriver, Progress, ShuntRefusal, Shunting, ShuntingDriver};
use flowscope_track::{Clock, EndReason, Shunt};
use netring_capture::{Capture, ShuntError, ShuntMap};

use crate::{AsyncDriver, Error, EventStream, Live};

/// Shunting: the kernel counts packets of flows, and this stream does not receive them.
///
/// Open the capture with `AfXdpConfig::shunt` or
/// [`AfPacketConfig::shunt`](crate::ring::AfPacketConfig::shunt). Records have what was counted as if the packets
/// had come, and say which part of it was [shunted](flowscope_track::SideStats::shunted). Filters, taps and `Packet`
/// events do not see those packets.
impl<C, D> EventStream<Live<C>, D>
where
    C: Capture + 'static,
    D: AsyncDriver + ShuntingDriver<Key: ToShuntKey + 'static>,
{
    /// Has the kernel count packets of flows: all flows that `which` says, and those of
    /// [`shunt`](EventStream::shunt). With [`Shunting::Established`] a flow comes back for each packet that is not
    /// an everyday one, and is shunted again after it.
    ///
    /// The driver is final after this call: set its configuration, parsers, filter and tap before.
    ///
    /// # Errors
    ///
    /// [`ShuntRefusal::NotOffered`] if the capture was opened without a map for flows;
    /// [`ShuntRefusal::Checksums`] if the driver verifies checksums.
    pub fn with_shunting(
        mut self,
        which: Shunting,
    ) -> Result<EventStream<Live<C>, WithShunting<D>>, ShuntRefusal> {
        let map = self.capture().source().capture().shunt_map().cloned();
        let map = map.ok_or(ShuntRefusal::NotOffered)?;
        let fault = Fault::default();
        let kernel = KernelShunt { map, started: HashSet::new(), fault: fault.clone() };
        self.driver_mut().shunt_with(Box::new(kernel), which)?;
        Ok(self.wrap_driver(|driver| WithShunting { driver, fault }))
    }
}

impl<C, D> EventStream<Live<C>, WithShunting<D>>
where
    C: Capture + 'static,
    D: AsyncDriver + ShuntingDriver,
{
    /// Lets the kernel count the packets of a flow, until one comes that has to be looked at: a FIN or reset, one
    /// out of sequence, one after a long silence, and others that change more than counters. The flow comes back
    /// with it; call this again then, if need be.
    ///
    /// # Errors
    ///
    /// [`ShuntRefusal`]; the flow goes on as before.
    pub fn shunt(&mut self, key: &D::Key) -> Result<(), ShuntRefusal> {
        self.driver_mut().driver.shunt(key)
    }

    /// Ends the shunting of a flow, and adds what was counted. Returns whether it was shunted.
    pub fn unshunt(&mut self, key: &D::Key) -> bool {
        self.driver_mut().driver.unshunt(key)
    }
}

/// A driver some of whose flows the kernel counts. Made by [`EventStream::with_shunting`].
///
/// An error of the map of these flows is an item of the stream, [`Error::Shunt`]. Flows that are in the map when
/// the driver is dropped are taken out, so that other readers of the map receive their packets.
#[derive(Debug)]
pub struct WithShunting<D> {
    driver: D,
    fault: Fault,
}

impl<D> WithShunting<D> {
    /// The driver.
    #[must_use]
    pub fn driver(&self) -> &D {
        &self.driver
    }
}

impl<D: PacketDriver> PacketDriver for WithShunting<D> {
    type Event = D::Event;

    fn handle_batch(&mut self, packets: &[PacketView<'_>]) {
        self.driver.handle_batch(packets);
    }

    fn poll_event(&mut self) -> Option<Self::Event> {
        self.driver.poll_event()
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        self.driver.poll_timeout()
    }

    fn handle_timeout(&mut self, now: Timestamp) -> Progress {
        self.driver.handle_timeout(now)
    }

    fn finish_some(&mut self, reason: EndReason, most: usize) -> Progress {
        self.driver.finish_some(reason, most)
    }

    fn packets(&self) -> Ledger {
        self.driver.packets()
    }

    fn bytes(&self) -> Ledger {
        self.driver.bytes()
    }

    fn pending_fragments(&self) -> u64 {
        self.driver.pending_fragments()
    }

    fn pending(&self) -> u64 {
        self.driver.pending()
    }

    fn flows(&self) -> usize {
        self.driver.flows()
    }

    fn clock(&self) -> &Clock {
        self.driver.clock()
    }

    fn heap_bytes(&self) -> usize {
        self.driver.heap_bytes()
    }
}

impl<D: AsyncDriver> AsyncDriver for WithShunting<D> {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.driver.poll_ready(cx)
    }

    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.driver.poll_turn(cx)
    }

    fn take_error(&mut self) -> Option<Error> {
        self.fault.take().map(Error::Shunt).or_else(|| self.driver.take_error())
    }

    fn poll_finished(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.driver.poll_finished(cx)
    }
}

/// The first error of the map that was not reported yet.
#[derive(Clone, Default)]
struct Fault(Arc<Mutex<Option<ShuntError>>>);

impl Fault {
    fn set(&self, error: ShuntError) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }

    fn take(&self) -> Option<ShuntError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Fault").finish_non_exhaustive()
    }
}

/// The map of a capture, for flows with keys that are five-tuples.
struct KernelShunt {
    map: ShuntMap,
    /// Flows that were put into the map and not taken out: at most as many as it has room for.
    started: HashSet<ShuntKey>,
    fault: Fault,
}

impl KernelShunt {
    fn found(&self, found: Result<Option<Shunted>, ShuntError>) -> Option<Shunted> {
        found.unwrap_or_else(|error| {
            self.fault.set(error);
            None
        })
    }
}

impl<K: ToShuntKey> Shunt<K> for KernelShunt {
    fn start(&mut self, key: &K, start: &ShuntStart) -> Result<(), ShuntRefusal> {
        let key: ShuntKey = key.shunt_key().ok_or(ShuntRefusal::NotFound)?;
        self.map.start(&key, start).map_err(|error| match error {
            ShuntError::Full => ShuntRefusal::Full,
            ShuntError::NotFound => ShuntRefusal::NotFound,
            _ => ShuntRefusal::Failed,
        })?;
        self.started.insert(key);
        Ok(())
    }

    fn peek(&mut self, key: &K) -> Option<Shunted> {
        let found = self.map.peek(&key.shunt_key()?);
        self.found(found)
    }

    fn take(&mut self, key: &K) -> Option<Shunted> {
        let key = key.shunt_key()?;
        let found = self.map.take(&key);
        if found.is_ok() {
            self.started.remove(&key);
        }
        self.found(found)
    }
}

impl Drop for KernelShunt {
    fn drop(&mut self) {
        for key in &self.started {
            // Nobody is left to be told.
            let _ = self.map.take(key);
        }
    }
}
