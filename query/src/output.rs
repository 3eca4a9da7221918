//! The answer as text, or as a Parquet file.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use arrow_json::LineDelimitedWriter;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::arrow::util::pretty::pretty_format_batches_with_schema;
use flowscope::output::terminal;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::args::Format;

/// Rows of a table; those behind them are in a further one, so that memory is bounded.
const TABLE_ROWS: usize = 10_000;

/// Writes the rows of an answer.
pub(crate) struct Answer {
    writer: Writer,
    /// The file's name until it is complete, and then.
    file: Option<(PathBuf, PathBuf)>,
}

type Out = BufWriter<Box<dyn Write + Send>>;

enum Writer {
    Table { out: Out, schema: SchemaRef, rows: Vec<RecordBatch>, tables: usize },
    Csv(Box<csv::Writer<Out>>),
    Json(LineDelimitedWriter<Out>),
    Parquet(Box<ArrowWriter<Out>>),
}

impl Answer {
    /// To this file, or to standard output.
    pub(crate) fn new(format: Format, path: Option<&Path>, schema: SchemaRef) -> io::Result<Self> {
        let (out, file): (Box<dyn Write + Send>, _) = match path {
            Some(path) => {
                let mut part = path.as_os_str().to_owned();
                part.push(".part");
                let part = PathBuf::from(part);
                (Box::new(File::create(&part)?), Some((part, path.to_owned())))
            }
            None => (Box::new(io::stdout()), None),
        };
        let out = BufWriter::new(out);
        let writer = match format {
            Format::Table => Writer::Table { out, schema, rows: Vec::new(), tables: 0 },
            Format::Csv => {
                let mut writer = csv::Writer::from_writer(out);
                let names = schema.fields().iter().map(|field| field.name());
                writer.write_record(names).map_err(of_csv)?;
                Writer::Csv(Box::new(writer))
            }
            Format::Json => Writer::Json(LineDelimitedWriter::new(out)),
            Format::Parquet => {
                let level = ZstdLevel::default();
                let properties =
                    WriterProperties::builder().set_compression(Compression::ZSTD(level)).build();
                let writer = ArrowWriter::try_new(out, schema, Some(properties));
                Writer::Parquet(Box::new(writer.map_err(io::Error::from)?))
            }
        };
        Ok(Answer { writer, file })
    }

    pub(crate) fn write(&mut self, batch: &RecordBatch) -> io::Result<()> {
        match &mut self.writer {
            Writer::Table { out, schema, rows, tables } => {
                let mut rest = batch.clone();
                loop {
                    let held: usize = rows.iter().map(RecordBatch::num_rows).sum();
                    let taken = rest.num_rows().min(TABLE_ROWS - held);
                    rows.push(rest.slice(0, taken));
                    rest = rest.slice(taken, rest.num_rows() - taken);
                    if rest.num_rows() == 0 {
                        return Ok(());
                    }
                    write_table(out, schema, rows)?;
                    *tables += 1;
                }
            }
            Writer::Csv(writer) => write_csv(writer, batch),
            Writer::Json(writer) => writer.write(batch).map_err(of_arrow),
            Writer::Parquet(writer) => writer.write(batch).map_err(io::Error::from),
        }
    }

    /// Writes what waits. A file gets its name.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        match &mut self.writer {
            Writer::Table { out, schema, rows, tables } => {
                if !rows.is_empty() || *tables == 0 {
                    write_table(out, schema, rows)?;
                }
                out.flush()?;
            }
            Writer::Csv(writer) => writer.flush()?,
            Writer::Json(writer) => {
                writer.finish().map_err(of_arrow)?;
                writer.get_mut().flush()?;
            }
            Writer::Parquet(writer) => {
                writer.finish()?;
                writer.inner_mut().flush()?;
            }
        }
        if let Some((part, path)) = &self.file {
            File::open(part)?.sync_all()?;
            fs::rename(part, path)?;
            self.file = None;
        }
        Ok(())
    }
}

/// An answer that is not complete leaves no file.
impl Drop for Answer {
    fn drop(&mut self) {
        if let Some((part, _)) = &self.file {
            let _ = fs::remove_file(part);
        }
    }
}

/// Writes these rows as a table. What the network says is escaped as on any terminal.
fn write_table(out: &mut Out, schema: &SchemaRef, rows: &mut Vec<RecordBatch>) -> io::Result<()> {
    let table = pretty_format_batches_with_schema(schema.clone(), &std::mem::take(rows));
    for line in table.map_err(of_arrow)?.to_string().lines() {
        writeln!(out, "{}", terminal(line))?;
    }
    Ok(())
}

fn write_csv(writer: &mut csv::Writer<Out>, batch: &RecordBatch) -> io::Result<()> {
    let options = FormatOptions::default();
    let columns = batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options));
    let columns = columns.collect::<Result<Vec<_>, _>>().map_err(of_arrow)?;
    for row in 0..batch.num_rows() {
        for column in &columns {
            let text = column.value(row).try_to_string().map_err(of_arrow)?;
            writer.write_field(text).map_err(of_csv)?;
        }
        writer.write_record(None::<&[u8]>).map_err(of_csv)?;
    }
    Ok(())
}

/// What an error of a writer of CSV says of its output.
fn of_csv(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        kind => io::Error::other(format!("{kind:?}")),
    }
}

/// What an error of a writer says of its output.
fn of_arrow(error: ArrowError) -> io::Error {
    match error {
        ArrowError::IoError(_, error) => error,
        error => io::Error::other(error),
    }
}
