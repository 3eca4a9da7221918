//! SOCKS.

use crate::answer::Answer::{self, Maybe, No, OnPort, Yes};

use crate::shape::Byte::{From, In, Is};
use crate::shape::header;

/// SOCKS (RFC 1928 §3, §4): methods and the request behind them, or the choice of no authentication and the reply
/// behind it, are sure. One of them alone is plausible, and so are request and reply of version 4.
pub(crate) fn socks(start: &[u8]) -> Answer {
    match start {
        [] | [0 | 4 | 5] => Maybe,
        [4, 1 | 2, rest @ ..] => {
            // Port, address, and a name that ends with 0.
            let name = rest.get(6..).unwrap_or_default();
            let text = name.iter().take_while(|byte| byte.is_ascii_graphic()).count();
            match name.get(text) {
                Some(0) => OnPort,
                Some(_) => No,
                None => Maybe,
            }
        }
        [0, 0x5a..=0x5d, rest @ ..] => {
            if rest.len() < 6 {
                Maybe
            } else {
                OnPort
            }
        }
        // A server's choice, and what comes of a name and a password (RFC 1929 §2).
        [5, 2, 1, 0 | 1, ..] | [5, 0xff] => OnPort,
        [5, 0, reply @ ..] => header(reply, &[Is(5), From(0, 8), Is(0), In(&[1, 3, 4])], |_| Yes),
        [5, count @ 1..=10, rest @ ..] => {
            let (methods, request) = rest.split_at(usize::from(*count).min(rest.len()));
            if !methods.iter().all(|method| matches!(method, 0..=9 | 0x80..=0xfe)) {
                return No;
            }
            let command = [Is(5), From(1, 3), Is(0), In(&[1, 3, 4])];
            match (request.first(), header(request, &command, |_| Yes)) {
                (Some(1), _) => OnPort,
                (_, answer) => answer,
            }
        }
        _ => No,
    }
}
