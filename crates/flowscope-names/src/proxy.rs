//! SOCKS.

use crate::answer::Answer::{self, Maybe, No, OnPort, Yes};

use crate::shape::Byte::{From, In, Is};
use crate::shape::header;

/// SOCKS (RFC 1928 §3, §4): a client's methods and its request behind them are sure, the methods alone are
/// plausible, and so is a request of version 4.
pub(crate) fn socks(start: &[u8]) -> Answer {
    match start {
        [] | [4 | 5] => Maybe,
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
        [5, count @ 1..=10, rest @ ..] => {
            let (methods, request) = rest.split_at(usize::from(*count).min(rest.len()));
            if !methods.iter().all(|method| matches!(method, 0..=9 | 0x80..=0xfe)) {
                return No;
            }
            let command = [Is(5), From(1, 3), Is(0), In(&[1, 3, 4])];
            match (request.first(), header(request, &command, |_| Yes)) {
                // A name and a password (RFC 1929 §2) may come in between.
                (Some(1), _) => OnPort,
                (_, answer) => answer,
            }
        }
        _ => No,
    }
}
