//! How records have files: the values of columns, with the names of Suricata's `fileinfo`.

use std::fmt::Write as _;

use flowscope_record::{Kind, Value, amount, wire_text};

use crate::mime::NamedFile;
use crate::{FileInfo, Form};

/// Files that a line of a table has.
const MAX_NOTES: usize = 4;

/// The type of what [`object`] gives.
pub const FILE: Kind = Kind::Object(&[
    ("filename", Kind::Bytes),
    ("direction", Kind::Text),
    ("mime_type", Kind::Text),
    ("gaps", Kind::Bool),
    ("state", Kind::Text),
    ("sha256", Kind::Text),
    ("size", Kind::U64),
    ("tx_id", Kind::U64),
]);

/// A file as an object, with the name that its sender gave it, if any. `state` is TRUNCATED if the end was not seen, else CLOSED;
/// `size` counts the bytes that were captured.
#[must_use]
pub fn object<'a>(
    file: &FileInfo,
    name: Option<&'a [u8]>,
    direction: &'static str,
    tx_id: u64,
) -> Value<'a> {
    Value::object([
        ("filename", Value::some(name)),
        ("direction", direction.into()),
        ("mime_type", mime_type(Some(file))),
        ("gaps", (file.missing_bytes > 0).into()),
        ("state", if file.is_cut { "TRUNCATED" } else { "CLOSED" }.into()),
        ("sha256", sha256(Some(file))),
        ("size", file.seen_bytes.into()),
        ("tx_id", tx_id.into()),
    ])
}

/// The files of a request and of its response as a list of objects, with one name for both; null if there is none.
#[must_use]
pub fn exchange<'a>(
    name: Option<&'a [u8]>,
    request: Option<&FileInfo>,
    response: Option<&FileInfo>,
    tx_id: u64,
) -> Value<'a> {
    if request.is_none() && response.is_none() {
        return Value::Null;
    }
    Value::list(both(name, request, response, tx_id))
}

/// The files of a request and of its response as a list of objects, and those in the form that the request is; null if there is
/// none.
#[must_use]
pub fn exchange_with_form<'a>(
    request: Option<&FileInfo>,
    response: Option<&FileInfo>,
    form: Option<&'a Form>,
    tx_id: u64,
) -> Value<'a> {
    let Some(form) = form else { return exchange(None, request, response, tx_id) };
    let in_form = form.files.iter().map(|file| file.object("toserver", tx_id));
    Value::list(both(None, request, response, tx_id).chain(in_form))
}

fn both<'a, 'b>(
    name: Option<&'a [u8]>,
    request: Option<&'b FileInfo>,
    response: Option<&'b FileInfo>,
    tx_id: u64,
) -> impl Iterator<Item = Value<'a>> {
    let files = [("toserver", request), ("toclient", response)];
    let files = files.into_iter().filter_map(|(side, file)| Some((side, file?)));
    files.map(move |(side, file)| object(file, name, side, tx_id))
}

/// The media type of a file; null if it is not known.
#[must_use]
pub fn mime_type(file: Option<&FileInfo>) -> Value<'static> {
    Value::some(file.and_then(|file| file.mime_type))
}

/// The media type of a file as a list; null if it is not known.
#[must_use]
pub fn mime_types(file: Option<&FileInfo>) -> Value<'static> {
    match file.and_then(|file| file.mime_type) {
        Some(mime_type) => Value::list([mime_type].into_iter()),
        None => Value::Null,
    }
}

/// The SHA-256 of a file in hexadecimal digits; null if there is none.
#[must_use]
pub fn sha256(file: Option<&FileInfo>) -> Value<'static> {
    Value::some(file.and_then(FileInfo::sha256_hex))
}

/// Appends what is known of a file to the line of a table: ` [response image/png] [response sha256 01ab…]`.
pub fn note(text: &mut String, what: &str, file: Option<&FileInfo>) {
    let Some(file) = file else { return };
    if let Some(mime_type) = file.mime_type {
        let _ = write!(text, " [{what} {mime_type}]");
    }
    if let Some(sha256) = file.sha256_hex() {
        let _ = write!(text, " [{what} sha256 {sha256}]");
    }
}

/// Appends what is known of the first of several files to the line of a table, and how many more there are; `more` counts those
/// that are not in `files`.
pub fn note_files(text: &mut String, files: &[NamedFile], more: u64) {
    for file in files.iter().take(MAX_NOTES) {
        let name = file.name.as_deref().map_or("file".into(), wire_text);
        let _ = write!(text, " [{name} {}B]", amount(file.info.seen_bytes));
        note(text, &name, Some(&file.info));
    }
    let more = files.len().saturating_sub(MAX_NOTES) as u64 + more;
    if more > 0 {
        let _ = write!(text, " [{more} more files]");
    }
}
