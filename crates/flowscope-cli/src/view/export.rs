//! Files of exported flows.

use std::fs::File;
use std::io::{self, ErrorKind, Write as _};
use std::path::Path;

use flowscope::core::Timestamp;
use flowscope::output::rfc3339;

/// As many files of the same second are named apart.
const MOST: u32 = 1000;

/// Writes to a new file in this folder, which is named by packet time in UTC, and returns its name.
///
/// # Errors
///
/// What creating and writing gives. A file that exists is never written to.
pub(super) fn write(folder: &Path, now: Timestamp, lines: &[u8]) -> io::Result<String> {
    let time = rfc3339(now);
    let (seconds, _) = time.as_str().split_once('.').unwrap_or_default();
    let seconds = seconds.replace(['-', ':'], "");
    for number in 1..MOST {
        let again = if number == 1 { String::new() } else { format!("-{number}") };
        let name = format!("flowscope-live-{seconds}Z{again}.json");
        match File::create_new(folder.join(&name)) {
            Ok(mut file) => {
                file.write_all(lines)?;
                return Ok(name);
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(ErrorKind::AlreadyExists.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_file_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let now = Timestamp::from_secs(1_767_323_045);
        let names = [b"a", b"b", b"c"].map(|text| write(folder.path(), now, text).unwrap());
        let expected = ["", "-2", "-3"].map(|n| format!("flowscope-live-20260102T030405Z{n}.json"));
        assert_eq!(names, expected);
        let first = std::fs::read(folder.path().join(&names[0])).unwrap();
        assert_eq!(first, b"a");
        assert!(write(&folder.path().join("none"), now, b"").is_err());
    }
}
