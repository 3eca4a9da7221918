//! Ownership of the frames in the memory shared with an AF_XDP socket: arithmetic on plain memory,
//! no system calls.

pub(crate) mod chain;

/// State of every frame of a socket's memory, so that none is in two places and none is lost.
///
/// A frame for receiving goes from free to the kernel, which returns it filled; it is lent, and
/// then free again. Frames for sending are separate, so that sending takes nothing away from
/// receiving.
#[derive(Debug)]
pub(crate) struct Frames {
    places: Box<[Place]>,
    frame_size: usize,
    /// Free frames for receiving.
    free: Vec<u32>,
    lent: Vec<u32>,
    /// Free frames for sending.
    free_to_send: Vec<u32>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Place {
    /// Owned by the program, empty.
    Free,
    /// Owned by the kernel, for receiving.
    Receiving,
    /// Owned by the program, with a frame that is being read.
    Lent,
    /// Owned by the kernel, with a frame to send.
    Sending,
}

impl Frames {
    /// `receive` frames for receiving, then `send` for sending, of `frame_size` bytes each.
    pub(crate) fn new(receive: u32, send: u32, frame_size: usize) -> Self {
        let all = receive.saturating_add(send);
        Frames {
            places: vec![Place::Free; all as usize].into(),
            frame_size: frame_size.max(1),
            free: (0..receive).rev().collect(),
            lent: Vec::with_capacity(receive as usize),
            free_to_send: (receive..all).rev().collect(),
        }
    }

    /// A free frame for the kernel to receive into; `None` when there is none.
    pub(crate) fn take_to_receive(&mut self) -> Option<u32> {
        let number = self.free.pop()?;
        self.places[number as usize] = Place::Receiving;
        Some(number)
    }

    /// Takes a filled frame back from the kernel: `len` bytes at `addr`. It is lent from then on.
    /// False if the kernel did not own it for receiving, or if the bytes are not within it.
    pub(crate) fn receive(&mut self, addr: usize, len: usize) -> bool {
        let (number, offset) = (addr / self.frame_size, addr % self.frame_size);
        match self.places.get_mut(number) {
            Some(place @ Place::Receiving) => *place = Place::Lent,
            _ => return false,
        }
        self.lent.push(number as u32);
        len <= self.frame_size - offset
    }

    /// Whether no one else writes to these bytes: they are within one lent frame.
    pub(crate) fn is_lent(&self, addr: usize, len: usize) -> bool {
        let (number, offset) = (addr / self.frame_size, addr % self.frame_size);
        self.places.get(number) == Some(&Place::Lent) && len <= self.frame_size - offset
    }

    /// Ends all loans. The frames are received into again in the order in which they were lent.
    pub(crate) fn give_back(&mut self) {
        for number in self.lent.drain(..).rev() {
            self.places[number as usize] = Place::Free;
            self.free.push(number);
        }
    }

    /// Number of free frames for sending.
    pub(crate) fn left_to_send(&self) -> usize {
        self.free_to_send.len()
    }

    /// A free frame to fill and send; `None` when there is none.
    pub(crate) fn take_to_send(&mut self) -> Option<u32> {
        let number = self.free_to_send.pop()?;
        self.places[number as usize] = Place::Sending;
        Some(number)
    }

    /// Takes the frame at `addr` back after sending. False if the kernel did not own it for
    /// sending.
    pub(crate) fn sent(&mut self, addr: usize) -> bool {
        let number = addr / self.frame_size;
        match self.places.get_mut(number) {
            Some(place @ Place::Sending) => *place = Place::Free,
            _ => return false,
        }
        self.free_to_send.push(number as u32);
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::properties;

    const SIZE: usize = 2048;

    #[test]
    fn a_frame_goes_round() {
        let mut frames = Frames::new(2, 1, SIZE);
        assert_eq!([(); 3].map(|()| frames.take_to_receive()), [Some(0), Some(1), None]);
        assert!(frames.receive(SIZE + 256, SIZE - 256) && !frames.is_lent(0, 0));
        assert!(frames.is_lent(SIZE, SIZE) && !frames.is_lent(SIZE + 1, SIZE));
        assert_eq!(frames.take_to_receive(), None, "it is lent");
        frames.give_back();
        assert!(!frames.is_lent(SIZE, 1));
        assert_eq!(frames.take_to_receive(), Some(1));

        // In the order in which they came back.
        assert!(frames.receive(SIZE, 1) && frames.receive(0, 1));
        frames.give_back();
        assert_eq!([(); 3].map(|()| frames.take_to_receive()), [Some(1), Some(0), None]);

        assert_eq!(frames.left_to_send(), 1);
        assert_eq!([(); 2].map(|()| frames.take_to_send()), [Some(2), None]);
        assert!(frames.sent(2 * SIZE + 256) && !frames.sent(2 * SIZE));
        assert_eq!(frames.take_to_send(), Some(2));
    }

    #[test]
    fn what_the_kernel_was_not_given_it_cannot_hand_back() {
        let mut frames = Frames::new(2, 1, SIZE);
        assert_eq!(frames.take_to_receive(), Some(0));
        for addr in [SIZE, 2 * SIZE, 3 * SIZE, usize::MAX] {
            assert!(!frames.receive(addr, 1) && !frames.sent(addr) && !frames.is_lent(addr, 0));
        }
        // Bytes beyond the frame are not read, but the frame is ours again.
        assert!(!frames.receive(256, SIZE - 255));
        assert!(!frames.receive(256, 1), "not twice");
        frames.give_back();
        assert!(!frames.is_lent(256, 1));
        assert_eq!(frames.take_to_receive(), Some(0));
    }

    /// What happens to a frame, with the address at which it does.
    #[derive(Clone, Debug)]
    enum Step {
        Fill,
        Receive(usize, usize),
        GiveBack,
        Send,
        Sent(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        let addr = prop_oneof![9 => 0..12 * SIZE, 1 => any::<usize>()];
        prop_oneof![
            4 => Just(Step::Fill),
            4 => (addr.clone(), 0..2 * SIZE).prop_map(|(addr, len)| Step::Receive(addr, len)),
            1 => Just(Step::GiveBack),
            2 => Just(Step::Send),
            2 => addr.prop_map(Step::Sent),
        ]
    }

    proptest! {
        #![proptest_config(properties())]

        #[test]
        fn no_frame_is_in_two_places_and_none_is_lost(
            receive in 0_u32..8,
            send in 0_u32..4,
            steps in prop::collection::vec(step(), 0..200),
        ) {
            let mut frames = Frames::new(receive, send, SIZE);
            // Expected state of each frame, from the calls and their results only.
            let mut model = vec![Place::Free; (receive + send) as usize];
            for step in steps {
                match step {
                    Step::Fill => {
                        let free = model[..receive as usize].contains(&Place::Free);
                        let taken = frames.take_to_receive();
                        prop_assert_eq!(taken.is_some(), free);
                        if let Some(number) = taken {
                            prop_assert!(number < receive);
                            prop_assert_eq!(model[number as usize], Place::Free);
                            model[number as usize] = Place::Receiving;
                        }
                    }
                    Step::Receive(addr, len) => {
                        let was = model.get_mut(addr / SIZE).filter(|was| **was == Place::Receiving);
                        let within = len <= SIZE - addr % SIZE;
                        prop_assert_eq!(frames.receive(addr, len), was.is_some() && within);
                        if let Some(was) = was {
                            *was = Place::Lent;
                            prop_assert_eq!(frames.is_lent(addr, len), within);
                        }
                    }
                    Step::GiveBack => {
                        frames.give_back();
                        for place in model.iter_mut().filter(|place| **place == Place::Lent) {
                            *place = Place::Free;
                        }
                    }
                    Step::Send => {
                        let free = model[receive as usize..].contains(&Place::Free);
                        let taken = frames.take_to_send();
                        prop_assert_eq!(taken.is_some(), free);
                        if let Some(number) = taken {
                            prop_assert!(number >= receive);
                            prop_assert_eq!(model[number as usize], Place::Free);
                            model[number as usize] = Place::Sending;
                        }
                    }
                    Step::Sent(addr) => {
                        let was = model.get_mut(addr / SIZE).filter(|was| **was == Place::Sending);
                        prop_assert_eq!(frames.sent(addr), was.is_some());
                        if let Some(was) = was {
                            *was = Place::Free;
                        }
                    }
                }
                prop_assert_eq!(&*frames.places, &model[..]);
                let listed = frames.free.len() + frames.free_to_send.len() + frames.lent.len();
                let theirs = |place: &&Place| matches!(place, Place::Receiving | Place::Sending);
                prop_assert_eq!(listed + model.iter().filter(theirs).count(), model.len());
            }
        }
    }
}
