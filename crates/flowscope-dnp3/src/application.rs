//! Fragments of the application (IEEE 1815 §4.2).

use crate::{Dnp3Application, Dnp3Control, Dnp3Function, Dnp3Indications, Dnp3Object};

/// Objects of a request that are kept.
const MAX_OBJECTS: usize = 16;

/// A fragment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Fragment {
    pub(crate) header: Dnp3Application,
    pub(crate) function: Dnp3Function,
    /// Of a response.
    pub(crate) indications: Option<Dnp3Indications>,
    /// Of a request.
    pub(crate) objects: Vec<Dnp3Object>,
}

/// The fragment that begins so, in frames with this control. `None` if it has no function, or one without a name, or a response
/// has no indications.
pub(crate) fn fragment(link: Dnp3Control, bytes: &[u8]) -> Option<Fragment> {
    let &[control, function, ref rest @ ..] = bytes else { return None };
    let function = Dnp3Function(function);
    function.name()?;
    let header = Dnp3Application { link, control };
    if function.is_response() {
        let indications = Dnp3Indications(u16::from_be_bytes(*rest.first_chunk()?));
        let objects = Vec::new();
        return Some(Fragment { header, function, indications: Some(indications), objects });
    }
    let limit = if function == Dnp3Function::READ { MAX_OBJECTS } else { 1 };
    let objects = Objects(rest).take(limit).collect();
    Some(Fragment { header, function, indications: None, objects })
}

/// The headers of objects that have no data behind them, as those of a request that reads.
struct Objects<'a>(&'a [u8]);

impl Iterator for Objects<'_> {
    type Item = Dnp3Object;

    fn next(&mut self) -> Option<Dnp3Object> {
        let (&[group, variation, qualifier], rest) = self.0.split_first_chunk()?;
        let number = |len: usize| {
            let bytes = rest.get(..len)?;
            Some(bytes.iter().rev().fold(0, |number, &byte| number << 8 | usize::from(byte)))
        };
        // The range is a first and a last index, or a number of objects, whose indices, or sizes, follow (§4.2.2).
        let prefix = match qualifier >> 4 & 7 {
            0 => Some(0),
            1 | 4 => Some(1),
            2 | 5 => Some(2),
            3 | 6 => Some(4),
            _ => None,
        };
        let counted = |len: usize| number(len)?.checked_mul(prefix?)?.checked_add(len);
        let range = match qualifier & 0xf {
            0 | 3 => Some(2),
            1 | 4 => Some(4),
            2 | 5 => Some(8),
            6 => Some(0),
            7 => counted(1),
            8 => counted(2),
            9 => counted(4),
            _ => None,
        };
        // Behind what is not known, nothing is.
        self.0 = range.and_then(|len| rest.get(len..)).unwrap_or_default();
        Some(Dnp3Object { group, variation })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objects(bytes: &[u8]) -> Vec<(u8, u8)> {
        let fragment = fragment(Dnp3Control(0xc4), &[&[0xc0, 1][..], bytes].concat()).unwrap();
        fragment.objects.iter().map(|it| (it.group, it.variation)).collect()
    }

    #[test]
    fn objects_that_are_read_are_listed() {
        assert_eq!(objects(&[60, 2, 6, 60, 3, 6, 60, 1, 6]), [(60, 2), (60, 3), (60, 1)]);
        assert_eq!(
            objects(&[1, 0, 0, 3, 9, 30, 5, 1, 0, 0, 255, 0, 2, 1, 6]),
            [(1, 0), (30, 5), (2, 1)]
        );
        // A count, and indices of one byte.
        assert_eq!(objects(&[1, 2, 0x17, 2, 5, 6, 2, 1, 7, 4]), [(1, 2), (2, 1)]);
        assert_eq!(objects(&[1, 2, 0x28, 255, 255, 5, 6]), [(1, 2)]);
        assert_eq!(objects(&[1, 2, 0x7b, 1, 1, 6]), [(1, 2)]);
        assert_eq!(objects(&[1, 2, 0x39, 255, 255, 255, 255]), [(1, 2)]);
        assert_eq!(objects(&[1, 2]), []);
        assert_eq!(objects(&[60, 1, 6].repeat(40)).len(), MAX_OBJECTS);
    }

    #[test]
    fn what_is_no_fragment_is_not_read() {
        let read = |bytes: &[u8]| fragment(Dnp3Control(0x44), bytes);
        for bytes in
            [&[][..], &[0xc0], &[0xc0, 40], &[0xc0, 129], &[0xc0, 129, 0], &[0xc0, 255, 0, 0]]
        {
            assert_eq!(read(bytes), None, "{bytes:?}");
        }
        let response = read(&[0xe3, 129, 0x90, 1, 1, 2, 0]).unwrap();
        let names: Vec<_> = response.indications.unwrap().names().collect();
        assert_eq!(names, ["device_restart", "need_time", "no_func_code_support"]);
        assert!(response.header.wants_confirmation() && response.header.sequence() == 3);
    }
}
