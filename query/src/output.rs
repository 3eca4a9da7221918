//! The answer as text, or as a Parquet file.

use std::io::{self, BufWriter, IntoInnerError, Write};
use std::path::Path;

use arrow_json::LineDelimitedWriter;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::arrow::util::pretty::pretty_format_batches_with_schema;
use flowscope::output::terminal;
use flowscope_cli::OutputFile;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::args::Format;

/// Rows of a table; those behind them are in a further one, so that memory is bounded.
const TABLE_ROWS: usize = 10_000;

/// Writes the rows of an answer.
pub(crate) enum Answer {
    Table { out: Out, schema: SchemaRef, rows: Vec<RecordBatch>, tables: usize },
    Csv(Box<csv::Writer<Out>>),
    Json(LineDelimitedWriter<Out>),
    Parquet(Box<ArrowWriter<Out>>),
}

pub(crate) type Out = BufWriter<Target>;

/// Where they go.
pub(crate) enum Target {
    Stdout(io::Stdout),
    /// A file that is not complete leaves nothing.
    File(OutputFile),
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Target::Stdout(out) => out.write(bytes),
            Target::File(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Target::Stdout(out) => out.flush(),
            Target::File(file) => file.flush(),
        }
    }
}

impl Answer {
    /// To this file, or to standard output.
    pub(crate) fn new(format: Format, path: Option<&Path>, schema: SchemaRef) -> io::Result<Self> {
        let target = match path {
            Some(path) => Target::File(OutputFile::create(path)?),
            None => Target::Stdout(io::stdout()),
        };
        let out = BufWriter::new(target);
        Ok(match format {
            Format::Table => Answer::Table { out, schema, rows: Vec::new(), tables: 0 },
            Format::Csv => {
                let mut writer = csv::Writer::from_writer(out);
                let names = schema.fields().iter().map(|field| field.name());
                writer.write_record(names).map_err(of_csv)?;
                Answer::Csv(Box::new(writer))
            }
            Format::Json => Answer::Json(LineDelimitedWriter::new(out)),
            Format::Parquet => {
                let level = ZstdLevel::default();
                let properties =
                    WriterProperties::builder().set_compression(Compression::ZSTD(level)).build();
                let writer = ArrowWriter::try_new(out, schema, Some(properties));
                Answer::Parquet(Box::new(writer.map_err(io::Error::from)?))
            }
        })
    }

    pub(crate) fn write(&mut self, batch: &RecordBatch) -> io::Result<()> {
        match self {
            Answer::Table { out, schema, rows, tables } => {
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
            Answer::Csv(writer) => write_csv(writer, batch),
            Answer::Json(writer) => writer.write(batch).map_err(of_arrow),
            Answer::Parquet(writer) => writer.write(batch).map_err(io::Error::from),
        }
    }

    /// Writes what waits. A file gets its name.
    pub(crate) fn finish(self) -> io::Result<()> {
        let out = match self {
            Answer::Table { mut out, schema, mut rows, tables } => {
                if !rows.is_empty() || tables == 0 {
                    write_table(&mut out, &schema, &mut rows)?;
                }
                out
            }
            Answer::Csv(writer) => writer.into_inner().map_err(|error| error.into_error())?,
            Answer::Json(mut writer) => {
                writer.finish().map_err(of_arrow)?;
                writer.into_inner()
            }
            Answer::Parquet(writer) => writer.into_inner()?,
        };
        match out.into_inner().map_err(IntoInnerError::into_error)? {
            Target::Stdout(mut out) => out.flush(),
            Target::File(file) => file.complete(),
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
