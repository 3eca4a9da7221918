use flowscope_core::FlowExtractor;
use flowscope_track::{FlowSink, Shunt, ShuntRefusal, Shunting};

use crate::config::Checksums;
use crate::detection::Classifier;
use crate::ingress::Pipeline;
use crate::{FlowDriver, SessionEngine};

/// Drivers whose flows a capture may count in their place: see [`Shunt`].
///
/// What a capture counted is in the ledgers under [`Loss::Shunted`](flowscope_core::Loss::Shunted), once it
/// has been added to its flow.
///
/// A flow that is read when it is shunted comes back with a [`Shunted`](flowscope_track::Change::Shunted)
/// change, then a gap of as many bytes in its stream.
pub trait ShuntingDriver {
    /// Key of a flow.
    type Key;

    /// Has packets of flows counted by a capture: all flows that `which` says, and those of
    /// [`shunt`](Self::shunt). `Established` leaves flows alone that a parser reads or may come to read.
    ///
    /// # Errors
    ///
    /// [`ShuntRefusal::Checksums`] if checksums are verified here.
    fn shunt_with(
        &mut self,
        by: Box<dyn Shunt<Self::Key> + Send>,
        which: Shunting,
    ) -> Result<(), ShuntRefusal>;

    /// Lets the capture count the packets of a flow until one comes that has to be looked at.
    ///
    /// # Errors
    ///
    /// [`ShuntRefusal`]; the flow goes on as before.
    fn shunt(&mut self, key: &Self::Key) -> Result<(), ShuntRefusal>;

    /// Ends the shunting of a flow, and adds what was counted. Returns whether it was shunted.
    fn unshunt(&mut self, key: &Self::Key) -> bool;
}

impl<E: FlowExtractor, S> Pipeline<E, S> {
    fn shunt_with(
        &mut self,
        by: Box<dyn Shunt<E::Key> + Send>,
        which: Shunting,
    ) -> Result<(), ShuntRefusal> {
        if self.ingress.policy() != Checksums::Off {
            return Err(ShuntRefusal::Checksums);
        }
        self.table.shunt_with(by, which);
        Ok(())
    }

    fn unshunt(&mut self, key: &E::Key, out: &mut impl FlowSink<E::Key, S>) -> bool {
        self.table.unshunt(key, self.clock.now(), out)
    }
}

impl<E: FlowExtractor, S> ShuntingDriver for FlowDriver<E, S> {
    type Key = E::Key;

    fn shunt_with(
        &mut self,
        by: Box<dyn Shunt<E::Key> + Send>,
        which: Shunting,
    ) -> Result<(), ShuntRefusal> {
        self.parts().0.shunt_with(by, which)
    }

    fn shunt(&mut self, key: &E::Key) -> Result<(), ShuntRefusal> {
        self.parts().0.table.shunt(key)
    }

    fn unshunt(&mut self, key: &E::Key) -> bool {
        let (pipeline, out) = self.parts();
        pipeline.unshunt(key, out)
    }
}

impl<E: FlowExtractor, C: Classifier<E::Key>, U> ShuntingDriver for SessionEngine<E, C, U> {
    type Key = E::Key;

    fn shunt_with(
        &mut self,
        by: Box<dyn Shunt<E::Key> + Send>,
        which: Shunting,
    ) -> Result<(), ShuntRefusal> {
        self.parts().0.shunt_with(by, which)
    }

    fn shunt(&mut self, key: &E::Key) -> Result<(), ShuntRefusal> {
        self.parts().0.table.shunt(key)
    }

    fn unshunt(&mut self, key: &E::Key) -> bool {
        let (pipeline, mut out) = self.parts();
        pipeline.unshunt(key, &mut out)
    }
}
