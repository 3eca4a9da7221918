//! EVE and Zeek records of samples, beside the samples.

use std::env;
use std::fs;

use flowscope_output::{EveFormat, Format, ZeekFormat};
use flowscope_record::{ParserOptions, Protocol};

use crate::{Sample, records};

/// The records of a sample are those of `NAME.eve.json` and `NAME.zeek.log`.
pub(crate) fn golden<P: Protocol + 'static>(sample: &Sample) {
    let options = ParserOptions::default();
    same::<P>(sample, "eve.json", EveFormat::new(), &options);
    same::<P>(sample, "zeek.log", ZeekFormat::tsv(), &options.transactions(true));
}

fn same<P>(sample: &Sample, extension: &str, format: impl Format, options: &ParserOptions)
where
    P: Protocol + 'static,
{
    let records = records::of::<P>(&sample.conversation, options);
    let text = records::written(format, &records);
    let path = sample.path.with_extension(extension);
    if env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        return;
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        text,
        golden,
        "what is written now, then {}; UPDATE_GOLDEN=1 writes it anew",
        path.display()
    );
}
