//! Batches of rows as bytes: an Arrow IPC stream, compressed as a whole, since its schema is longer than few rows are.

use std::cell::Cell;
use std::io::{Cursor, Read as _};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use arrow_array::RecordBatch;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::root_as_message;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{ArrowError, DataType, Schema, TimeUnit};
use arrow_select::concat::concat_batches;

/// Most bytes of a stream that is not compressed. What sensors send is smaller by far.
const MAX_STREAM: u64 = 64 << 20;

/// Most bytes that a decompressor looks back, as a power of two.
const MAX_WINDOW: u32 = 24;

/// The level from which on zstd gets slow.
const LEVEL: i32 = 3;

/// Encodes rows.
///
/// # Errors
///
/// None for columns of records; those of Arrow for others.
pub(crate) fn encode(rows: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
    let mut writer = StreamWriter::try_new(Vec::new(), &rows.schema())?;
    writer.write(rows)?;
    writer.finish()?;
    Ok(zstd::bulk::compress(&writer.into_inner()?, LEVEL)?)
}

/// Decodes rows, as one batch.
///
/// # Errors
///
/// What is wrong with bytes that are cut, damaged, too large, or of columns that no record has.
pub(crate) fn decode(bytes: &[u8]) -> Result<RecordBatch, String> {
    let failed = |error: ArrowError| error.to_string();
    let mut decoder =
        zstd::stream::read::Decoder::with_buffer(bytes).map_err(|error| error.to_string())?;
    decoder.window_log_max(MAX_WINDOW).map_err(|error| error.to_string())?;
    let mut stream = Vec::new();
    let read = decoder.take(MAX_STREAM + 1).read_to_end(&mut stream);
    if read.map_err(|error| error.to_string())? as u64 > MAX_STREAM {
        return Err(format!("it has more than {MAX_STREAM} bytes"));
    }
    check_frames(&stream)?;
    without_panic(|| {
        let reader = StreamReader::try_new(Cursor::new(stream), None).map_err(failed)?;
        let schema = reader.schema();
        check(&schema)?;
        let batches = reader.collect::<Result<Vec<_>, _>>().map_err(failed)?;
        concat_batches(&schema, &batches).map_err(failed)
    })
}

/// Refuses streams whose messages are longer than the stream: the reader would allocate as much as they say.
fn check_frames(mut stream: &[u8]) -> Result<(), String> {
    let cut = || "it is cut".to_owned();
    loop {
        let (head, rest) = stream.split_first_chunk::<8>().ok_or_else(cut)?;
        let [a, b, c, d, len @ ..] = *head;
        if [a, b, c, d] != [0xff; 4] {
            return Err("it is no Arrow IPC stream".to_owned());
        }
        let len = usize::try_from(i32::from_le_bytes(len)).map_err(|_| cut())?;
        if len == 0 {
            return Ok(());
        }
        let (metadata, rest) = rest.split_at_checked(len).ok_or_else(cut)?;
        let message = root_as_message(metadata).map_err(|error| error.to_string())?;
        let body = usize::try_from(message.bodyLength()).map_err(|_| cut())?;
        stream = rest.get(body..).ok_or_else(cut)?;
    }
}

thread_local! {
    /// Whether panics of this thread are caught, and of no interest.
    static IS_CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// Does something that may panic, as the reader of Arrow does on offsets and lengths that do not fit each other: what it
/// was given is refused then.
fn without_panic<T>(body: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let others = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !IS_CAUGHT.get() {
                others(info);
            }
        }));
    });
    IS_CAUGHT.set(true);
    let result = panic::catch_unwind(AssertUnwindSafe(body));
    IS_CAUGHT.set(false);
    result.unwrap_or_else(|_| Err("its offsets and lengths do not fit each other".to_owned()))
}

/// Refuses schemas that are not those of records: other types, names that are there twice, none at all.
fn check(schema: &Schema) -> Result<(), String> {
    if schema.fields().is_empty() {
        return Err("it has no columns".to_owned());
    }
    let mut names: Vec<_> = schema.fields().iter().map(|field| field.name()).collect();
    names.sort_unstable();
    if names.windows(2).any(|two| two[0] == two[1]) {
        return Err("it has two columns of one name".to_owned());
    }
    match schema.fields().iter().find(|field| !is_stored(field.data_type(), MAX_DEPTH)) {
        Some(field) => Err(format!("no record has the type of its column {:?}", field.name())),
        None => Ok(()),
    }
}

/// Lists and objects within each other; records have two levels.
const MAX_DEPTH: usize = 4;

fn is_stored(data_type: &DataType, depth: usize) -> bool {
    match data_type {
        DataType::Boolean | DataType::UInt64 | DataType::Float64 | DataType::Utf8 => true,
        DataType::Timestamp(TimeUnit::Nanosecond, zone) => zone.as_deref() == Some("UTC"),
        DataType::List(item) => depth > 0 && is_stored(item.data_type(), depth - 1),
        DataType::Struct(members) => {
            let is_member = |data_type| depth > 0 && is_stored(data_type, depth - 1);
            !members.is_empty() && members.iter().all(|field| is_member(field.data_type()))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::types::UInt64Type;
    use arrow_array::{ArrayRef, Int32Array, ListArray, StringArray, UInt64Array};

    use super::*;

    fn rows(columns: &[(&str, ArrayRef)]) -> RecordBatch {
        RecordBatch::try_from_iter(columns.to_vec()).unwrap()
    }

    fn sample() -> RecordBatch {
        let lists = [Some(vec![Some(1), None]), None, Some(vec![])];
        rows(&[
            ("number", Arc::new(UInt64Array::from(vec![Some(1), None, Some(u64::MAX)]))),
            ("text", Arc::new(StringArray::from(vec![Some(""), Some("ä"), None]))),
            ("list", Arc::new(ListArray::from_iter_primitive::<UInt64Type, _, _>(lists))),
        ])
    }

    #[test]
    fn rows_come_back() {
        assert_eq!(decode(&encode(&sample()).unwrap()), Ok(sample()));
        let none = sample().slice(0, 0);
        assert_eq!(decode(&encode(&none).unwrap()), Ok(none));
    }

    #[test]
    fn other_columns_are_refused() {
        let other = rows(&[("number", Arc::new(Int32Array::from(vec![1])))]);
        let error = decode(&encode(&other).unwrap()).unwrap_err();
        assert!(error.contains("\"number\""), "{error}");
        let number: ArrayRef = Arc::new(UInt64Array::from(vec![1]));
        let twice = rows(&[("a", number.clone()), ("a", number)]);
        assert!(decode(&encode(&twice).unwrap()).unwrap_err().contains("two columns"));
    }

    #[test]
    fn cut_and_damaged_bytes_are_errors_or_other_rows() {
        let whole = encode(&sample()).unwrap();
        for len in 0..whole.len() {
            assert!(decode(&whole[..len]).is_err(), "{len} bytes");
        }
        // Also below the compression, which has checks of its own.
        let stream = zstd::bulk::decompress(&whole, 1 << 20).unwrap();
        for at in 0..stream.len() {
            for bit in [0, 3, 7] {
                let mut damaged = stream.clone();
                damaged[at] ^= 1 << bit;
                let _ = decode(&zstd::bulk::compress(&damaged, 1).unwrap());
            }
        }
    }

    #[test]
    fn what_grows_without_end_is_refused() {
        let zeros = vec![0; usize::try_from(MAX_STREAM).unwrap() + 1];
        let error = decode(&zstd::bulk::compress(&zeros, 1).unwrap()).unwrap_err();
        assert!(error.contains("more than"), "{error}");
    }
}
