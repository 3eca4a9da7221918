use flowscope_core::{LinkType, PacketView};

use crate::ring::{Cursor, Frame, Frames};
use crate::{AfPacket, Capture};

/// Frames that the kernel handed over together; returned to the kernel when dropped.
///
/// Packets borrow from it, so none outlives its memory:
///
/// ```compile_fail,E0505
/// # fn check(capture: &mut netring_capture::AfPacket) {
/// if let Some(block) = capture.next_block() {
///     let packet = block.packets().next();
///     drop(block); // the kernel may write here from now on
///     println!("{packet:?}");
/// }
/// # }
/// ```
///
/// nor can there be a second block while the first is lent:
///
/// ```compile_fail,E0499
/// # fn check(capture: &mut netring_capture::AfPacket) {
/// let first = capture.next_block();
/// let second = capture.next_block();
/// drop(first);
/// # }
/// ```
///
/// This compiles:
///
/// ```
/// # fn check(capture: &mut netring_capture::AfPacket) {
/// if let Some(block) = capture.next_block() {
///     let packet = block.packets().next();
///     println!("{packet:?}");
///     drop(block);
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct Block<'a> {
    capture: &'a mut AfPacket,
    cursor: Cursor,
}

impl<'a> Block<'a> {
    /// Lends the frames behind `cursor` in the current block.
    pub(crate) fn new(capture: &'a mut AfPacket, cursor: Cursor) -> Self {
        Block { capture, cursor }
    }
}

impl Block<'_> {
    /// The frames as packet views, in capture order.
    #[must_use]
    #[inline]
    pub fn packets(&self) -> Packets<'_> {
        Packets {
            frames: self.frames(),
            link: self.capture.link(),
            interface_number: self.capture.interface_number(),
        }
    }

    /// The frames with all metadata of the kernel.
    #[must_use]
    #[inline]
    pub fn frames(&self) -> Frames<'_> {
        self.capture.frames_from(self.cursor)
    }
}

impl Drop for Block<'_> {
    fn drop(&mut self) {
        self.capture.give_back();
    }
}

/// Iterator over the packets of a [`Block`].
#[derive(Clone, Debug)]
pub struct Packets<'b> {
    frames: Frames<'b>,
    link: LinkType,
    interface_number: u32,
}

impl<'b> Iterator for Packets<'b> {
    type Item = PacketView<'b>;

    #[inline]
    fn next(&mut self) -> Option<PacketView<'b>> {
        self.frames.next().map(|frame| view(frame, self.link, self.interface_number))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.frames.size_hint()
    }
}

/// A frame as a packet view.
#[inline]
pub(crate) fn view(frame: Frame<'_>, link: LinkType, interface_number: u32) -> PacketView<'_> {
    frame.view(link).with_interface(interface_number)
}
