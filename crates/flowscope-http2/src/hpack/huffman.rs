//! The Huffman code of HPACK (RFC 7541 §5.2 and appendix B), decoded byte by byte.

/// Length of the code of each symbol in bits; the last is the end of a string (RFC 7541 appendix B).
///
/// The code is canonical: codes of one length ascend with the symbol, and follow those that are shorter. So the lengths
/// are the code.
const LENGTHS: [u8; SYMBOLS] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, //
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28, //
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, //
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, //
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, //
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, //
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, //
    6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, //
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, //
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, //
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, //
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, //
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, //
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, //
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, //
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, //
    30,
];

const SYMBOLS: usize = 257;
const SHORTEST: u32 = 5;
const LONGEST: u32 = 30;
/// The symbol that ends a string, which no string may contain.
const END: u16 = 256;

/// The codes, by their lengths.
struct Codes {
    /// Symbols in the order of their codes.
    symbols: [u16; SYMBOLS],
    /// The first code of each length, and the place of its symbol.
    first: [(u32, u16); LONGEST as usize + 1],
    /// How many codes there are of each length.
    count: [u32; LONGEST as usize + 1],
}

static CODES: Codes = codes();

const fn codes() -> Codes {
    let mut codes = Codes { symbols: [0; SYMBOLS], first: [(0, 0); 31], count: [0; 31] };
    let (mut code, mut place, mut length) = (0, 0, SHORTEST as usize);
    while length <= LONGEST as usize {
        codes.first[length] = (code, place as u16);
        let mut symbol = 0;
        while symbol < SYMBOLS {
            if LENGTHS[symbol] as usize == length {
                codes.symbols[place] = symbol as u16;
                codes.count[length] += 1;
                place += 1;
                code += 1;
            }
            symbol += 1;
        }
        code <<= 1;
        length += 1;
    }
    codes
}

/// Bits of a string that are no whole code yet.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Huffman {
    bits: u64,
    count: u32,
}

/// What no encoder may write (RFC 7541 §5.2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct InvalidCode;

impl Huffman {
    /// Decodes a byte, and gives the bytes that it completes to `out`: at most two, since no code is shorter than 5 bits.
    pub(super) fn byte(&mut self, byte: u8, mut out: impl FnMut(u8)) -> Result<(), InvalidCode> {
        self.bits = self.bits << 8 | u64::from(byte);
        self.count += 8;
        let mut length = SHORTEST;
        while length <= self.count.min(LONGEST) {
            let code = (self.bits >> (self.count - length)) as u32;
            let (first, place) = CODES.first[length as usize];
            match code.checked_sub(first) {
                Some(nth) if nth < CODES.count[length as usize] => {
                    let symbol = CODES.symbols[usize::from(place) + nth as usize];
                    if symbol == END {
                        return Err(InvalidCode);
                    }
                    out(symbol as u8);
                    self.count -= length;
                    self.bits &= (1 << self.count) - 1;
                    length = SHORTEST;
                }
                _ => length += 1,
            }
        }
        Ok(())
    }

    /// Whether the string may end here: what is left are less than 8 bits, all of them 1.
    pub(super) fn end(self) -> Result<(), InvalidCode> {
        let is_padding = self.count < 8 && self.bits == (1 << self.count) - 1;
        if is_padding { Ok(()) } else { Err(InvalidCode) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(bytes: &[u8]) -> Result<Vec<u8>, InvalidCode> {
        let (mut huffman, mut out) = (Huffman::default(), Vec::new());
        for &byte in bytes {
            huffman.byte(byte, |byte| out.push(byte))?;
        }
        huffman.end()?;
        Ok(out)
    }

    /// RFC 7541 §C.4.1, §C.4.2, §C.6.1.
    #[test]
    fn the_strings_of_the_rfc_are_decoded() {
        let check = |bytes: &[u8], text: &str| assert_eq!(decode(bytes), Ok(text.into()));
        check(b"\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff", "www.example.com");
        check(b"\xa8\xeb\x10\x64\x9c\xbf", "no-cache");
        check(b"\x64\x02", "302");
        check(b"", "");
    }

    #[test]
    fn every_symbol_has_the_code_that_its_length_gives_it() {
        for symbol in 0..=255_u8 {
            let length = u32::from(LENGTHS[usize::from(symbol)]);
            let (first, place) = CODES.first[length as usize];
            let nth = CODES.symbols[usize::from(place)..].iter().position(|&s| s == symbol.into());
            let code = u64::from(first) + nth.unwrap() as u64;
            // Padded with ones to whole bytes.
            let padding = (8 - length % 8) % 8;
            let padded = (code << padding | ((1 << padding) - 1)).to_be_bytes();
            let bytes = &padded[8 - (length + padding) as usize / 8..];
            assert_eq!(decode(bytes), Ok(vec![symbol]), "{symbol}");
        }
    }

    #[test]
    fn the_end_and_other_padding_than_ones_are_invalid() {
        // The end of the string as a code, a byte of padding, and padding of zeros.
        for bytes in [&b"\xff\xff\xff\xff"[..], b"\x07\xff", b"\x00", b"\xff"] {
            assert_eq!(decode(bytes), Err(InvalidCode), "{bytes:x?}");
        }
        // `0` has five zeros, and three ones pad it.
        assert_eq!(decode(b"\x07"), Ok(b"0".to_vec()));
    }
}
