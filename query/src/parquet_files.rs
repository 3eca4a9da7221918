//! Parquet files as a table.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{
    ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl,
};
use flowscope_arrow::{SCHEMA_VERSION, SCHEMA_VERSION_KEY};
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use url::Url;

use crate::problems::Problems;

/// The table of those files that can be read; `None` if there are none. Columns that a file lacks are null.
pub(crate) fn table(
    files: &[PathBuf],
    columns: &SchemaRef,
    problems: &Problems,
) -> Result<Option<ListingTable>> {
    let mut urls = Vec::new();
    for path in files {
        match check(path) {
            Ok(()) => urls.push(url(path)?),
            Err(problem) => problems.add(format!("{}: {problem}", path.display())),
        }
    }
    if urls.is_empty() {
        return Ok(None);
    }
    let format = ParquetFormat::default().with_enable_pruning(true);
    let options = ListingOptions::new(Arc::new(format)).with_file_extension("");
    let config = ListingTableConfig::new_with_multi_paths(urls)
        .with_listing_options(options)
        .with_schema(columns.clone());
    ListingTable::try_new(config).map(Some)
}

/// Says what keeps the file from being read.
fn check(path: &Path) -> Result<(), String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let reader = SerializedFileReader::new(file).map_err(|error| error.to_string())?;
    let metadata = reader.metadata().file_metadata().key_value_metadata();
    let version = metadata.into_iter().flatten().find(|pair| pair.key == SCHEMA_VERSION_KEY);
    let version = version.and_then(|pair| pair.value.as_deref());
    match version.map(str::parse::<u32>) {
        Some(Ok(version)) if version <= SCHEMA_VERSION => Ok(()),
        Some(Ok(version)) => Err(format!(
            "columns of version {version}, and this program knows those up to {SCHEMA_VERSION}"
        )),
        _ => Err("no file of flowscope: it does not say which version its columns have".into()),
    }
}

fn url(path: &Path) -> Result<ListingTableUrl> {
    let absolute = std::path::absolute(path)?;
    let url = Url::from_file_path(&absolute)
        .map_err(|()| DataFusionError::Execution(format!("{}: not a path", absolute.display())))?;
    ListingTableUrl::try_new(url, None)
}
