//! From the command line to the answer.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use datafusion::common::DataFusionError;
use datafusion::error::Result as QueryResult;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::{SQLOptions, SessionConfig, SessionContext};
use futures::StreamExt as _;
use tokio::runtime::Builder;
use tokio::sync::OnceCell;

use crate::args::Args;
use crate::capture::Captures;
use crate::inputs::Inputs;
use crate::output::Answer;
use crate::problems::Problems;
use crate::records::Records;
use crate::{catalog, say};

/// Exit code of a query that was answered from damaged input.
const INCOMPLETE: u8 = 3;

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// An input is not there, or is no input.
    Input(PathBuf, io::Error),
    /// The question is not understood.
    Question(DataFusionError),
    /// It could not be answered.
    Query(DataFusionError),
    /// The answer could not be written.
    Output(String, io::Error),
}

impl Failure {
    pub(crate) fn code(&self) -> u8 {
        match self {
            Failure::Input(..) | Failure::Query(_) => 1,
            Failure::Question(_) => 2,
            Failure::Output(..) => 5,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Input(path, error) => write!(f, "{}: {error}", path.display()),
            Failure::Question(error) | Failure::Query(error) => {
                f.write_str(&error.strip_backtrace())
            }
            Failure::Output(name, error) => write!(f, "{name}: cannot write: {error}"),
        }
    }
}

/// Answers the question; returns the exit code.
pub(crate) fn run(args: &Args) -> Result<u8, Failure> {
    let inputs = Inputs::of(&args.inputs).map_err(|(path, error)| Failure::Input(path, error))?;
    let problems = Arc::new(Problems::default());
    let context = context(args, inputs, &problems).map_err(Failure::Query)?;
    let runtime = Builder::new_multi_thread().build();
    let runtime = runtime.map_err(|error| Failure::Query(error.into()))?;
    let answered = runtime.block_on(answer(args, &context));
    // Where the answer was complete before its captures were, they are still being read.
    runtime.shutdown_background();
    let problems = problems.all();
    problems.iter().for_each(|problem| say(problem));
    answered?;
    Ok(if problems.is_empty() { 0 } else { INCOMPLETE })
}

/// A session that has all tables.
fn context(args: &Args, inputs: Inputs, problems: &Arc<Problems>) -> QueryResult<SessionContext> {
    let memory = args.memory.get().saturating_mul(1 << 20);
    let environment = RuntimeEnvBuilder::new().with_memory_limit(memory, 1.0).build_arc()?;
    let config = SessionConfig::new().with_information_schema(true);
    let context = SessionContext::new_with_config_rt(config, environment);
    let Inputs { captures, mut parquet } = inputs;
    let captures = Captures::new(captures, args, problems.clone()).map(Arc::new);
    for kind in catalog::kinds() {
        let name = kind.name;
        let records = Arc::new(Records {
            captures: captures.clone(),
            files: parquet.remove(name).unwrap_or_default(),
            problems: problems.clone(),
            table: OnceCell::new(),
            kind,
        });
        // A hyphen would have to be quoted in SQL.
        context.register_table(name.replace('-', "_"), records)?;
    }
    for unknown in parquet.keys() {
        problems.add(format!("record={unknown}: this program knows no such records"));
    }
    Ok(context)
}

async fn answer(args: &Args, context: &SessionContext) -> Result<(), Failure> {
    // A query reads: files are written by this program alone, where it was asked to.
    let options = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false);
    let options = options.with_allow_statements(false);
    let question = context.sql_with_options(&args.sql, options).await;
    let question = question.map_err(Failure::Question)?;
    let schema = Arc::clone(question.schema().inner());
    let mut rows = question.execute_stream().await.map_err(|error| match error {
        DataFusionError::Plan(_) => Failure::Question(error),
        error => Failure::Query(error),
    })?;
    let name =
        args.output.as_ref().map_or("standard output".into(), |path| path.display().to_string());
    let unwritten = |error| Failure::Output(name.clone(), error);
    let mut answer = Answer::new(args.format, args.output.as_deref(), schema).map_err(unwritten)?;
    while let Some(batch) = rows.next().await {
        let written = answer.write(&batch.map_err(Failure::Query)?);
        match written {
            // The reader has all that it wants.
            Err(error) if is_closed(args, &error) => return Ok(()),
            written => written.map_err(unwritten)?,
        }
    }
    match answer.finish() {
        Err(error) if is_closed(args, &error) => Ok(()),
        finished => finished.map_err(unwritten),
    }
}

fn is_closed(args: &Args, error: &io::Error) -> bool {
    args.output.is_none() && error.kind() == io::ErrorKind::BrokenPipe
}
