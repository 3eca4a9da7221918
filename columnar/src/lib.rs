//! Records of flowscope as Arrow arrays and Parquet files.
//!
//! A [`RecordTable`] takes records of one schema and makes [`RecordBatch`](arrow_array::RecordBatch)es of them. A
//! [`ParquetDirectory`] takes records of any schema and writes them to files, partitioned by record and hour; a [`BatchFile`] takes
//! batches. [`FlowFiles`] reads flow records of such files again. Types and columns follow from the [`Schema`](flowscope::record::Schema) of a record, as all formats do; `docs/COLUMNS.md` has
//! the rules.
//!
//! ```
//! use flowscope_arrow::arrow_schema;
//! use flowscope::output::FLOW;
//!
//! let schema = arrow_schema(&FLOW);
//! assert_eq!(schema.field_with_name("src_ip")?.data_type().to_string(), "Utf8");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod batch_file;
mod builder;
mod columns;
mod directory;
mod error;
mod file;
mod flows;
mod table;

pub use batch_file::{BatchFile, partition_path, time_index};
pub use columns::{RECORD_PREFIX, SCHEMA_VERSION, SCHEMA_VERSION_KEY, arrow_schema, data_type};
pub use directory::{ParquetDirectory, ParquetOptions};
pub use error::Error;
pub use file::create_directories;
pub use flows::FlowFiles;
pub use table::{AnyTable, RecordTable};
