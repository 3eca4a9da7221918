use flowscope_core::{ShuntKey, ShuntStart, Shunted, ToShuntKey};
use flowscope_driver::{ShuntRefusal, Shunting, ShuntingDriver};
use flowscope_track::Shunt;
use netring_capture::{Capture, ShuntError, ShuntMap};

use crate::{AsyncDriver, EventStream, Live};

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
    /// Has the kernel count packets of flows: all flows that `which` says, and those of [`shunt`](Self::shunt).
    /// With [`Shunting::Established`] a flow comes back for each packet that is not an everyday one, and is
    /// shunted again after it.
    ///
    /// # Errors
    ///
    /// [`ShuntRefusal::NotOffered`] if the capture was opened without a map for flows;
    /// [`ShuntRefusal::Checksums`] if the driver verifies checksums.
    pub fn with_shunting(mut self, which: Shunting) -> Result<Self, ShuntRefusal> {
        let map = self.capture().source().capture().shunt_map().cloned();
        let map = map.ok_or(ShuntRefusal::NotOffered)?;
        self.driver_mut().shunt_with(Box::new(KernelShunt(map)), which)?;
        Ok(self)
    }

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

/// The map of a capture, for flows with keys that are five-tuples.
struct KernelShunt(ShuntMap);

impl<K: ToShuntKey> Shunt<K> for KernelShunt {
    fn start(&mut self, key: &K, start: &ShuntStart) -> Result<(), ShuntRefusal> {
        let key: ShuntKey = key.shunt_key().ok_or(ShuntRefusal::NotFound)?;
        self.0.start(&key, start).map_err(|error| match error {
            ShuntError::Full => ShuntRefusal::Full,
            ShuntError::NotFound => ShuntRefusal::NotFound,
            _ => ShuntRefusal::Failed,
        })
    }

    fn peek(&mut self, key: &K) -> Option<Shunted> {
        self.0.peek(&key.shunt_key()?)
    }

    fn take(&mut self, key: &K) -> Option<Shunted> {
        self.0.take(&key.shunt_key()?)
    }
}
