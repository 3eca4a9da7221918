//! Header compression (RFC 7541), decoded as the bytes come.
//!
//! A header block may be any number of frames long. Nothing of it is kept but what a record shows, and a field that an
//! index stands for is copied at most once, so neither long blocks nor indexes of large entries cost memory.

mod huffman;
mod table;

use flowscope_core::ParseError;

use crate::Field;
use crate::field::Fields;
use huffman::Huffman;
use table::{Found, Table, size_of};

/// Decodes the header blocks of one side.
#[derive(Clone, Debug, Default)]
pub(crate) struct Decoder {
    table: Table,
    step: Step,
    representation: Representation,
    field: Field,
    name_len: u32,
    /// The string at hand as far as it is kept, and its whole length.
    text: Vec<u8>,
    text_len: u32,
    /// Of a string in the Huffman code.
    huffman: Option<Huffman>,
}

/// What comes next.
#[derive(Clone, Copy, Debug, Default)]
enum Step {
    /// A representation of a field.
    #[default]
    Begin,
    /// The rest of an integer: an index or a size, so far, and the bits that follow are these.
    Index(Integer),
    /// The length of a string.
    Length { of: Text },
    /// The rest of that.
    LengthRest { of: Text, so_far: Integer },
    /// So many bytes of it.
    Text { of: Text, left: u32 },
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Text {
    Name,
    Value,
}

/// How a field is represented (RFC 7541 §6).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Representation {
    #[default]
    Indexed,
    /// A literal that is added to the table.
    Added,
    Literal,
    SizeUpdate,
}

/// Names longer than this are none of those that are kept.
const MAX_NAME: usize = 32;

impl Decoder {
    /// Decodes the next bytes of a header block; what they complete goes to `out`.
    pub(crate) fn feed(&mut self, mut bytes: &[u8], out: &mut Fields) -> Result<(), ParseError> {
        while let Some((&first, rest)) = bytes.split_first() {
            if let Step::Text { of, left } = self.step {
                let here = bytes.len().min(left as usize);
                let (text, behind) = bytes.split_at(here);
                self.text(of, text)?;
                bytes = behind;
                let left = left - here as u32;
                self.step = Step::Text { of, left };
                if left == 0 {
                    self.text_ends(of, out)?;
                }
                continue;
            }
            bytes = rest;
            match self.step {
                Step::Begin => self.begin(first, out)?,
                Step::Index(mut index) => match index.add(first)? {
                    Some(index) => self.index(index, out)?,
                    None => self.step = Step::Index(index),
                },
                Step::Length { of } => {
                    self.huffman = (first & 0x80 != 0).then(Huffman::default);
                    match Integer::begin(first, 0x7f) {
                        Ok(len) => self.text_begins(of, len, out)?,
                        Err(so_far) => self.step = Step::LengthRest { of, so_far },
                    }
                }
                Step::LengthRest { of, mut so_far } => match so_far.add(first)? {
                    Some(len) => self.text_begins(of, len, out)?,
                    None => self.step = Step::LengthRest { of, so_far },
                },
                Step::Text { .. } => {}
            }
        }
        Ok(())
    }

    /// The end of a header block, where a field has to be whole.
    pub(crate) fn end(&self) -> Result<(), ParseError> {
        if matches!(self.step, Step::Begin) { Ok(()) } else { Err(INVALID) }
    }

    /// Handles bytes of a header block that are missing: what the table has is not known any more.
    pub(crate) fn lose(&mut self) {
        self.table.forget();
        self.step = Step::Begin;
        self.text = Vec::new();
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.table.heap_bytes() + self.text.capacity()
    }

    fn begin(&mut self, first: u8, out: &mut Fields) -> Result<(), ParseError> {
        let (representation, mask) = match first {
            0x80.. => (Representation::Indexed, 0x7f),
            0x40.. => (Representation::Added, 0x3f),
            0x20.. => (Representation::SizeUpdate, 0x1f),
            // Never indexed, or not now (RFC 7541 §6.2.2, §6.2.3).
            _ => (Representation::Literal, 0x0f),
        };
        self.representation = representation;
        match Integer::begin(first, mask) {
            Ok(index) => self.index(index, out),
            Err(index) => {
                self.step = Step::Index(index);
                Ok(())
            }
        }
    }

    fn index(&mut self, index: u32, out: &mut Fields) -> Result<(), ParseError> {
        match self.representation {
            Representation::Indexed => {
                match self.table.find(index) {
                    Found::Field { field, value, size, .. } => out.add(field, value, size),
                    Found::Unknown => out.add(Field::Unknown, b"", 0),
                    Found::Nothing => return Err(INVALID),
                }
                self.step = Step::Begin;
            }
            Representation::SizeUpdate => {
                self.table.resize(index);
                self.step = Step::Begin;
            }
            Representation::Added | Representation::Literal if index == 0 => {
                self.step = Step::Length { of: Text::Name };
            }
            Representation::Added | Representation::Literal => {
                (self.field, self.name_len) = match self.table.find(index) {
                    Found::Field { field, name_len, .. } => (field, name_len),
                    Found::Unknown => (Field::Unknown, 0),
                    Found::Nothing => return Err(INVALID),
                };
                self.step = Step::Length { of: Text::Value };
            }
        }
        Ok(())
    }

    fn text_begins(&mut self, of: Text, len: u32, out: &mut Fields) -> Result<(), ParseError> {
        self.text.clear();
        self.text_len = 0;
        self.step = Step::Text { of, left: len };
        if len == 0 { self.text_ends(of, out) } else { Ok(()) }
    }

    fn text(&mut self, of: Text, bytes: &[u8]) -> Result<(), ParseError> {
        let most = match of {
            Text::Name => MAX_NAME,
            Text::Value => self.field.max_len(),
        };
        let Some(huffman) = &mut self.huffman else {
            let room = most.saturating_sub(self.text.len());
            self.text.extend_from_slice(&bytes[..bytes.len().min(room)]);
            self.text_len = self.text_len.saturating_add(bytes.len() as u32);
            return Ok(());
        };
        let (text, len) = (&mut self.text, &mut self.text_len);
        for &byte in bytes {
            let add = |byte| {
                if text.len() < most {
                    text.push(byte);
                }
                *len = len.saturating_add(1);
            };
            huffman.byte(byte, add).map_err(|_| INVALID)?;
        }
        Ok(())
    }

    fn text_ends(&mut self, of: Text, out: &mut Fields) -> Result<(), ParseError> {
        if let Some(huffman) = self.huffman.take() {
            huffman.end().map_err(|_| INVALID)?;
        }
        if of == Text::Name {
            let is_whole = self.text.len() == self.text_len as usize;
            self.field = if is_whole { Field::of(&self.text) } else { Field::Other };
            self.name_len = self.text_len;
            self.step = Step::Length { of: Text::Value };
            return Ok(());
        }
        let size = size_of(self.name_len, self.text_len);
        out.add(self.field, &self.text, size);
        if self.representation == Representation::Added {
            self.table.insert(self.field, self.name_len, &self.text, size);
        }
        self.step = Step::Begin;
        Ok(())
    }
}

const INVALID: ParseError = ParseError::InvalidField("header block");

/// An integer that is not whole yet (RFC 7541 §5.1).
#[derive(Clone, Copy, Debug)]
struct Integer {
    value: u64,
    shift: u32,
}

impl Integer {
    /// The integer whose prefix has the bits of `mask`, or what there is of it.
    fn begin(first: u8, mask: u8) -> Result<u32, Integer> {
        let value = first & mask;
        if value < mask { Ok(value.into()) } else { Err(Integer { value: value.into(), shift: 0 }) }
    }

    /// Adds a byte; the integer if that was the last.
    fn add(&mut self, byte: u8) -> Result<Option<u32>, ParseError> {
        if self.shift > 28 {
            return Err(INVALID);
        }
        self.value += u64::from(byte & 0x7f) << self.shift;
        self.shift += 7;
        if byte & 0x80 != 0 {
            return Ok(None);
        }
        u32::try_from(self.value).map(Some).map_err(|_| INVALID)
    }
}

#[cfg(test)]
mod tests;
