//! Whether a program is static, by its headers (System V ABI, chapters 4 and 5).

use crate::Result;

/// `e_machine` of x86-64.
const X86_64: u16 = 62;

/// `p_type` of the segment that names the dynamic linker.
const PT_INTERP: u32 = 3;

/// Checks that `program` is an executable of 64 bits for x86-64 that asks for no dynamic linker, and so for no shared
/// library. One whose place in memory is chosen when it starts has a dynamic section all the same, for itself.
///
/// # Errors
///
/// If it is something else, or cut short.
pub(super) fn check_static(program: &[u8]) -> Result<()> {
    // Class 64 bits, little-endian.
    if !program.starts_with(b"\x7fELF\x02\x01") {
        return Err("the program is not ELF of 64 bits".into());
    }
    let cut = "the program is cut short within its headers";
    let machine = u16::from_le_bytes(field(program, 18).ok_or(cut)?);
    if machine != X86_64 {
        return Err(format!("the program is for machine {machine}, not x86-64").into());
    }
    let table = u64::from_le_bytes(field(program, 32).ok_or(cut)?);
    let size = u16::from_le_bytes(field(program, 54).ok_or(cut)?);
    let count = u16::from_le_bytes(field(program, 56).ok_or(cut)?);
    if count == 0 {
        return Err("the program has no segments".into());
    }
    let table = usize::try_from(table)?;
    for index in 0..usize::from(count) {
        let at = table.checked_add(index * usize::from(size)).ok_or(cut)?;
        if u32::from_le_bytes(field(program, at).ok_or(cut)?) == PT_INTERP {
            return Err("the program is not static: it names a dynamic linker".into());
        }
    }
    Ok(())
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An executable with these segments and nothing else.
    fn program(segments: &[u32]) -> Vec<u8> {
        let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
        bytes.resize(64, 0);
        bytes[18] = 62;
        bytes[32] = 64;
        bytes[54] = 56;
        bytes[56] = u8::try_from(segments.len()).unwrap();
        for segment in segments {
            bytes.extend(segment.to_le_bytes());
            bytes.extend([0; 52]);
        }
        bytes
    }

    fn error(bytes: &[u8]) -> String {
        check_static(bytes).unwrap_err().to_string()
    }

    #[test]
    fn a_program_without_a_dynamic_linker_is_static() {
        // Loaded, dynamic, notes: of a program that is placed when it starts.
        assert!(check_static(&program(&[1, 2, 4])).is_ok());
    }

    #[test]
    fn a_dynamic_linker_is_found_in_any_segment() {
        for segments in [&[3][..], &[3, 1], &[1, 1, 3]] {
            assert!(error(&program(segments)).contains("not static"), "{segments:?}");
        }
    }

    #[test]
    fn other_files_are_refused() {
        assert!(error(b"").contains("not ELF"));
        assert!(error(b"#!/bin/sh").contains("not ELF"));
        let mut arm = program(&[1]);
        arm[18] = 183;
        assert!(error(&arm).contains("machine 183"));
        assert!(error(&program(&[])).contains("no segments"));
        let mut far = program(&[1]);
        far[32..40].fill(0xff);
        assert!(error(&far).contains("cut short"));
    }

    #[test]
    fn every_cut_within_the_headers_is_an_error() {
        let bytes = program(&[1, 1]);
        // Of a segment, its type is read alone.
        for end in 0..64 + 56 + 4 {
            assert!(check_static(&bytes[..end]).is_err(), "{end}");
        }
    }
}
