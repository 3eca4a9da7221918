//! EVE and Zeek records of samples, beside the samples.

use std::env;
use std::fs;

use flowscope_output::{EveFormat, Format, ZeekFormat};
use flowscope_record::{ParserOptions, Protocol};

use crate::{Sample, records};

/// The records of a sample are those of `NAME.eve.json` and `NAME.zeek.log`; those with files, where they are others, those of
/// `NAME.files.eve.json` and `NAME.files.zeek.log`.
pub(crate) fn golden<P: Protocol + 'static>(sample: &Sample) {
    let (eve, zeek) = (ParserOptions::default(), ParserOptions::default().transactions(true));
    let plain_eve = same::<P>(sample, "eve.json", EveFormat::new(), &eve, None);
    let plain_zeek = same::<P>(sample, "zeek.log", ZeekFormat::tsv(), &zeek, None);
    let (eve, zeek) = (eve.files(true), zeek.files(true));
    same::<P>(sample, "files.eve.json", EveFormat::new(), &eve, Some(&plain_eve));
    same::<P>(sample, "files.zeek.log", ZeekFormat::tsv(), &zeek, Some(&plain_zeek));
}

/// Compares what is written now with a file, of which there is none if it is the same as `plain`; returns it.
fn same<P>(
    sample: &Sample,
    extension: &str,
    format: impl Format,
    options: &ParserOptions,
    plain: Option<&str>,
) -> String
where
    P: Protocol + 'static,
{
    let records = records::of::<P>(&sample.conversation, options);
    let text = records::written(format, &records);
    let path = sample.path.with_extension(extension);
    if plain == Some(&*text) {
        assert!(!path.exists(), "{}: there are no files in it", path.display());
        return text;
    }
    if env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        return text;
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        text,
        golden,
        "what is written now, then {}; UPDATE_GOLDEN=1 writes it anew",
        path.display()
    );
    text
}
