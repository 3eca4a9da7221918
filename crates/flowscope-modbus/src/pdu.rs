//! Messages: a header, a function and its data (MODBUS Messaging on TCP/IP §3.1, MODBUS Application Protocol §6).

use flowscope_core::ParseError;
use flowscope_lengths::Head;

use crate::{ModbusException, ModbusExchange, ModbusFunction, ModbusRange};

/// Bytes of the header, up to its length; the unit is counted with what follows (Messaging §3.1.3).
pub(crate) const HEADER: usize = 6;
/// The longest that a header may announce: the unit, and 253 bytes (Messaging §4.1).
pub(crate) const MAX_LEN: u16 = 254;
/// Bit of a function whose response is an exception (§7).
const EXCEPTION: u8 = 0x80;

/// The header of a message.
///
/// # Errors
///
/// A length without a function, or of more than [`MAX_LEN`].
pub(crate) fn head(start: &[u8]) -> Result<Option<Head>, ParseError> {
    let Some(&[_, _, _, _, high, low]) = start.first_chunk::<HEADER>() else { return Ok(None) };
    match u16::from_be_bytes([high, low]) {
        len @ 2..=MAX_LEN => Ok(Some(Head { len: HEADER, body: len.into() })),
        _ => Err(ParseError::InvalidField("length")),
    }
}

/// What the start of a message says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Message<'a> {
    pub(crate) transaction_id: u16,
    pub(crate) unit_id: u8,
    pub(crate) function: ModbusFunction,
    /// Whether it is a response that refuses.
    pub(crate) is_exception: bool,
    /// Length from the unit on, on the wire.
    len: u32,
    data: &'a [u8],
}

impl<'a> Message<'a> {
    /// The message with this header and body. `None` if it is of another protocol, or of function 0, or an exception has more
    /// than a code; or where it was cut before its function.
    pub(crate) fn new(header: &[u8], body: &'a [u8], len: u32) -> Option<Self> {
        let &[high, low, 0, 0, ..] = header else { return None };
        let &[unit_id, function, ref data @ ..] = body else { return None };
        let is_exception = function & EXCEPTION != 0;
        let function = ModbusFunction(function & !EXCEPTION);
        if function.0 == 0 || is_exception && len != 3 {
            return None;
        }
        let transaction_id = u16::from_be_bytes([high, low]);
        Some(Message { transaction_id, unit_id, function, is_exception, len, data })
    }

    /// Whether it can only be a request; `false` if it can only be a response, and `None` if it has the form of both, or of
    /// neither (§6).
    pub(crate) fn is_request(&self) -> Option<bool> {
        // As many bytes as the number here says follow, and end the message.
        let counts = |at: usize| {
            self.data.get(at).is_some_and(|&count| self.len as usize == 3 + at + usize::from(count))
        };
        let (asks, answers) = match self.function.0 {
            _ if self.is_exception => (false, true),
            1..=4 => (self.len == 6, counts(0)),
            7 => (self.len == 2, self.len == 3),
            11 => (self.len == 2, self.len == 6),
            12 | 17 => (self.len == 2, counts(0)),
            15 | 16 => (counts(4), self.len == 6),
            23 => (counts(8), counts(0)),
            24 => (self.len == 4, self.len >= 6),
            _ => (false, false),
        };
        (asks != answers).then_some(asks)
    }

    /// Writes what a request says into `exchange`.
    pub(crate) fn request(&self, exchange: &mut ModbusExchange) {
        let number = |at: usize| {
            self.data.get(at..at + 2).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]))
        };
        let range =
            |at: usize| Some(ModbusRange { address: number(at)?, quantity: number(at + 2)? });
        let one = |at: usize| Some(ModbusRange { address: number(at)?, quantity: 1 });
        match self.function.0 {
            1..=4 => exchange.read = range(0),
            5 | 6 => {
                exchange.write = one(0);
                exchange.value = number(2);
            }
            8 => exchange.sub_function = number(0),
            15 | 16 => exchange.write = range(0),
            22 => exchange.write = one(0),
            23 => {
                exchange.read = range(0);
                exchange.write = range(4);
            }
            43 => exchange.sub_function = self.data.first().map(|&kind| kind.into()),
            _ => {}
        }
    }

    /// Why a response refuses.
    pub(crate) fn exception(&self) -> Option<ModbusException> {
        self.data.first().filter(|_| self.is_exception).map(|&code| ModbusException(code))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_have_a_length() {
        let check = |len: [u8; 2], expected: Option<u32>| {
            let read = head(&[0, 1, 0, 0, len[0], len[1], 17]);
            let wrong = Err(ParseError::InvalidField("length"));
            assert_eq!(read, expected.map_or(wrong, |body| Ok(Some(Head { len: HEADER, body }))));
        };
        check([0, 2], Some(2));
        check([0, 254], Some(254));
        check([0, 255], None);
        check([0, 1], None);
        check([1, 6], None);
        assert_eq!(head(&[0, 1, 0, 0, 0]), Ok(None));
    }

    #[test]
    fn a_form_is_that_of_a_request_or_of_a_response() {
        let check = |body: &[u8], expected: Option<bool>| {
            let message = Message::new(&[0, 7, 0, 0, 0, 0], body, body.len() as u32).unwrap();
            assert_eq!(message.is_request(), expected, "{body:?}");
        };
        check(&[1, 3, 0, 107, 0, 3], Some(true));
        check(&[1, 3, 2, 0, 107], Some(false));
        check(&[1, 0x83, 2], Some(false));
        // Three bytes that are read, or the address 0x300 and what follows it.
        check(&[1, 1, 3, 0, 0, 1], None);
        check(&[1, 6, 0, 1, 0, 3], None);
        check(&[1, 8, 0, 0, 1, 2], None);
        check(&[1, 7], Some(true));
        check(&[1, 7, 0], Some(false));
        check(&[1, 11], Some(true));
        check(&[1, 11, 0, 0, 1, 8], Some(false));
        check(&[1, 17], Some(true));
        check(&[1, 17, 2, 9, 0xff], Some(false));
        check(&[1, 16, 0, 1, 0, 2, 4, 0, 10, 1, 2], Some(true));
        check(&[1, 16, 0, 1, 0, 2], Some(false));
        check(&[1, 23, 0, 3, 0, 2, 0, 14, 0, 1, 2, 0, 255], Some(true));
        check(&[1, 23, 4, 0, 1, 0, 2], Some(false));
        check(&[1, 24, 4, 222], Some(true));
        check(&[1, 24, 0, 4, 0, 1, 1, 184], Some(false));
        // Of neither.
        check(&[1, 3, 9, 9], None);
        check(&[1, 100, 1], None);
    }

    #[test]
    fn what_is_no_message_is_not_read() {
        fn read<'a>(header: &[u8], body: &'a [u8]) -> Option<Message<'a>> {
            Message::new(header, body, body.len() as u32)
        }
        let header = [0, 7, 0, 0, 0, 3];
        assert_eq!(read(&header, &[17, 3, 0]).unwrap().transaction_id, 7);
        assert!(read(&header, &[17, 0x83, 2]).unwrap().is_exception);
        assert_eq!(read(&[0, 7, 0, 1, 0, 3], &[17, 3, 0]), None);
        for body in [&[][..], &[17], &[17, 0], &[17, 0x80, 1], &[17, 0x83], &[17, 0x83, 2, 0]] {
            assert_eq!(read(&header, body), None, "{body:?}");
        }
    }
}
