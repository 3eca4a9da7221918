//! The table of a kind of records.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::listing::ListingTable;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::streaming::StreamingTableExec;
use datafusion::physical_plan::union::UnionExec;
use tokio::sync::OnceCell;

use crate::capture::{CaptureScan, Captures};
use crate::catalog::RecordKind;
use crate::parquet_files;
use crate::problems::Problems;

/// Records of captures, behind them those of Parquet files.
#[derive(Debug)]
pub(crate) struct Records {
    pub(crate) kind: RecordKind,
    pub(crate) captures: Option<Arc<Captures>>,
    pub(crate) files: Vec<PathBuf>,
    pub(crate) problems: Arc<Problems>,
    /// The files that can be read; made once, for every scan.
    pub(crate) table: OnceCell<Option<ListingTable>>,
}

#[async_trait]
impl TableProvider for Records {
    fn schema(&self) -> SchemaRef {
        self.kind.columns.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    /// Statistics of Parquet files leave rows out; nothing else does.
    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mut parts: Vec<Arc<dyn ExecutionPlan>> = Vec::new();
        if let Some(captures) = &self.captures {
            // Wrong options are an error of the plan, before anything is read.
            let checked = captures.run_for(&self.kind.source);
            checked.map_err(|error| DataFusionError::Plan(error.to_string()))?;
            parts.push(Arc::new(self.scan_captures(captures, projection, limit)?));
        }
        if !self.files.is_empty()
            && let Some(table) = self.table().await?
        {
            parts.push(table.scan(state, projection, filters, limit).await?);
        }
        match parts.len() {
            0 => Ok(Arc::new(EmptyExec::new(self.projected(projection)?))),
            1 => Ok(parts.remove(0)),
            _ => UnionExec::try_new(parts),
        }
    }
}

impl Records {
    /// The table of the Parquet files, if any can be read.
    async fn table(&self) -> Result<Option<&ListingTable>> {
        let make = || async {
            let (files, columns) = (self.files.clone(), self.kind.columns.clone());
            let problems = self.problems.clone();
            let check = move || parquet_files::table(&files, &columns, &problems);
            let checked = tokio::task::spawn_blocking(check).await;
            checked.map_err(|error| DataFusionError::External(error.into()))?
        };
        self.table.get_or_try_init(make).await.map(Option::as_ref)
    }

    fn projected(&self, projection: Option<&Vec<usize>>) -> Result<SchemaRef> {
        Ok(match projection {
            Some(columns) => Arc::new(self.kind.columns.project(columns)?),
            None => self.kind.columns.clone(),
        })
    }

    fn scan_captures(
        &self,
        captures: &Arc<Captures>,
        projection: Option<&Vec<usize>>,
        limit: Option<usize>,
    ) -> Result<StreamingTableExec> {
        let schema = self.projected(projection)?;
        let all = || (0..self.kind.columns.fields().len()).collect();
        let scan = CaptureScan {
            captures: captures.clone(),
            kind: self.kind.clone(),
            columns: projection.cloned().unwrap_or_else(all),
            schema: schema.clone(),
            limit,
        };
        StreamingTableExec::try_new(schema, vec![Arc::new(scan)], None, [], false, limit)
    }
}
