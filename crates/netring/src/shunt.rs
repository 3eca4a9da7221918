use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use flowscope_core::{Ledger, PacketView, ShuntKey, ShuntStart, Shunted, Timestamp, ToShuntKey};
use flowscope_driver::{PacketDriver, Progress, ShuntRefusal, Shunting, ShuntingDriver};
use flowscope_track::{Clock, EndReason, Shunt};
use netring_capture::{Capture, ShuntError, ShuntMap};

use crate::{AsyncDriver, Error, EventStream, Live, Sharded};

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
    /// an ordinary one, and is shunted again after it.
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
        let fault = start(self.driver_mut(), map.ok_or(ShuntRefusal::NotOffered)?, which)?;
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
        self.driver_mut().shunt(key)
    }

    /// Ends the shunting of a flow, and adds what was counted. Returns whether it was shunted.
    pub fn unshunt(&mut self, key: &D::Key) -> bool {
        self.driver_mut().unshunt(key)
    }
}

/// A driver some of whose flows the kernel counts. Made by [`EventStream::with_shunting`], and by
/// [`new`](Self::new) for workers and for drivers of your own.
///
/// An error of the map of these flows is an item of the stream, [`Error::Shunt`]. Flows that are in the map when
/// the driver is dropped are taken out, so that other readers of the map receive their packets.
#[derive(Debug)]
pub struct WithShunting<D> {
    driver: D,
    fault: ShuntFault,
}

impl<D> WithShunting<D> {
    /// The driver.
    #[must_use]
    pub fn driver(&self) -> &D {
        &self.driver
    }
}

impl<D: ShuntingDriver> WithShunting<D> {
    /// Has the kernel count packets of flows in `map`, which is that of the
    /// [capture](Capture::shunt_map) whose packets this driver gets. The driver is final after this call.
    ///
    /// # Errors
    ///
    /// [`ShuntRefusal::Checksums`] if the driver verifies checksums.
    pub fn new(mut driver: D, map: ShuntMap, which: Shunting) -> Result<Self, ShuntRefusal>
    where
        D::Key: ToShuntKey + 'static,
    {
        let fault = start(&mut driver, map, which)?;
        Ok(WithShunting { driver, fault })
    }

    /// As [`EventStream::shunt`].
    ///
    /// # Errors
    ///
    /// [`ShuntRefusal`]; the flow goes on as before.
    pub fn shunt(&mut self, key: &D::Key) -> Result<(), ShuntRefusal> {
        self.driver.shunt(key)
    }

    /// As [`EventStream::unshunt`].
    pub fn unshunt(&mut self, key: &D::Key) -> bool {
        self.driver.unshunt(key)
    }
}

fn start<D: ShuntingDriver<Key: ToShuntKey + 'static>>(
    driver: &mut D,
    map: ShuntMap,
    which: Shunting,
) -> Result<ShuntFault, ShuntRefusal> {
    let kernel = KernelShunt::new(map);
    let fault = kernel.fault();
    driver.shunt_with(Box::new(kernel), which)?;
    Ok(fault)
}

impl<C: Capture + 'static> Sharded<C> {
    /// Has the kernel count packets of flows of the workers: all flows that `which` says. Give the drivers of
    /// [`run`](Self::run) and [`stream`](Self::stream) to [`ShardedShunting::with`]; [`flow_stream`](Self::flow_stream)
    /// does not shunt.
    ///
    /// Workers of a fanout group have a map each; those of AF_XDP queues share one. The counters of a worker
    /// that shares one may count a packet that another worker has in its ledger; their sum is exact.
    ///
    /// # Errors
    ///
    /// [`ShuntRefusal::NotOffered`] if a capture was opened without a map for flows.
    pub fn shunting(&self, which: Shunting) -> Result<ShardedShunting, ShuntRefusal> {
        let maps = self.captures().iter().map(|capture| capture.shunt_map().cloned());
        let maps = maps.collect::<Option<Vec<_>>>().ok_or(ShuntRefusal::NotOffered)?;
        Ok(ShardedShunting { maps, which })
    }
}

/// Shunting of the workers of a [`Sharded`] capture. Made by [`Sharded::shunting`].
///
/// ```no_run
/// # fn check() -> Result<(), Box<dyn std::error::Error>> {
/// use std::num::{NonZeroU32, NonZeroUsize};
///
/// use flowscope_driver::FlowDriver;
/// use flowscope_extract::FiveTuple;
/// use netring::{AsyncCapture, Shunting};
///
/// let (flows, workers) = (NonZeroU32::new(10_000).unwrap(), NonZeroUsize::new(4).unwrap());
/// let sharded = AsyncCapture::builder().shunt(flows).open_sharded("eth0", 1, workers)?;
/// let shunting = sharded.shunting(Shunting::Established)?;
/// let driver = || FlowDriver::new(FiveTuple::bidirectional());
/// let drivers: Result<Vec<_>, _> =
///     (0..workers.get()).map(|worker| shunting.with(worker, driver())).collect();
/// let mut drivers = drivers?.into_iter();
/// let stream = sharded.stream(|_| drivers.next().expect("one for each worker"))?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ShardedShunting {
    maps: Vec<ShuntMap>,
    which: Shunting,
}

impl ShardedShunting {
    /// The driver of this worker, some of whose flows the kernel counts.
    ///
    /// # Errors
    ///
    /// [`ShuntRefusal::NotOffered`] if there is no such worker; [`ShuntRefusal::Checksums`] if the driver verifies
    /// checksums.
    pub fn with<D>(&self, worker: usize, driver: D) -> Result<WithShunting<D>, ShuntRefusal>
    where
        D: ShuntingDriver<Key: ToShuntKey + 'static>,
    {
        let map = self.maps.get(worker).ok_or(ShuntRefusal::NotOffered)?;
        WithShunting::new(driver, map.clone(), self.which)
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

/// The first error of the map of a [`KernelShunt`] that was not taken yet.
#[derive(Clone, Default)]
pub struct ShuntFault(Arc<Mutex<Option<ShuntError>>>);

impl ShuntFault {
    fn set(&self, error: ShuntError) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }

    /// The error, once: counters of a flow may be missing, and the kernel may go on to count packets of it that no
    /// ledger has.
    #[must_use]
    pub fn take(&self) -> Option<ShuntError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl fmt::Debug for ShuntFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ShuntFault").finish_non_exhaustive()
    }
}

/// The map of a capture as a [`Shunt`] of a flow table, for keys that are five-tuples. Streams and workers make
/// their own; this is for flow tables elsewhere. Dropping it takes its flows out of the map.
#[derive(Debug)]
pub struct KernelShunt {
    map: ShuntMap,
    /// Flows that were put into the map and not taken out: at most as many as it has room for.
    started: HashSet<ShuntKey>,
    fault: ShuntFault,
}

impl KernelShunt {
    /// Counts in this map. Several flow tables may share a map if none has flows of another.
    #[must_use]
    pub fn new(map: ShuntMap) -> Self {
        KernelShunt { map, started: HashSet::new(), fault: ShuntFault::default() }
    }

    /// Where errors of the map are reported.
    #[must_use]
    pub fn fault(&self) -> ShuntFault {
        self.fault.clone()
    }

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
