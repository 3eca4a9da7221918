//! Terminals and screens.

use crate::answer::Answer::{self, No, OnPort, Yes};

use crate::shape::Byte::{From, Is};
use crate::shape::header;
use crate::text::is_text;

/// Telnet (RFC 854): two commands that negotiate options, one behind the other. Text, and one command, are plausible.
pub(crate) fn telnet(start: &[u8]) -> Answer {
    let negotiation = [Is(0xff), From(0xfb, 0xfe), From(0, 50), Is(0xff), From(0xfa, 0xfe)];
    let is_plausible = |byte: u8| is_text(byte) || matches!(byte, 0 | 0x07 | 0x08 | 0x1b);
    match header(start, &negotiation, |_| Yes) {
        No if start[0] == 0xff => header(start, &negotiation[..3], |_| OnPort),
        // Text up to the first command.
        No if start.iter().take_while(|&&byte| byte != 0xff).all(|&byte| is_plausible(byte)) => {
            OnPort
        }
        answer => answer,
    }
}
