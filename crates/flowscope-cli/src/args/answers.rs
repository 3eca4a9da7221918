//! Options of the commands that answer one question about a whole capture.

use std::num::NonZeroUsize;

use clap::{Args, ValueEnum};

use super::{Common, KeylogArgs, ZoneArgs};
use crate::output::By;

#[derive(Args, Debug)]
pub(crate) struct SummaryArgs {
    #[command(flatten)]
    pub(crate) answer: Answer,
    #[command(flatten)]
    pub(crate) zone: ZoneArgs,
    #[command(flatten)]
    pub(super) keylog: KeylogArgs,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Args, Debug)]
pub(crate) struct TopArgs {
    /// What hosts, servers or names are ranked by
    #[arg(long, value_enum, default_value_t = By::Bytes)]
    pub(crate) by: By,
    /// Print at most this many
    #[arg(short = 'n', long, value_name = "N", default_value = "20")]
    pub(crate) limit: NonZeroUsize,
    #[command(flatten)]
    pub(crate) answer: Answer,
    #[command(flatten)]
    pub(super) keylog: KeylogArgs,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// What an answer is about, and how it is written.
#[derive(Args, Debug)]
pub(crate) struct Answer {
    /// Count only flows for which this holds, and what is said in them
    ///
    /// As for `flowscope flows`: such as `app_proto == tls && bytes > 1M`. Capture files are then read twice.
    #[arg(long = "where", value_name = "EXPR")]
    pub(crate) condition: Option<String>,

    /// Format of the answer
    #[arg(long, value_enum, default_value_t = AnswerFormat::Table)]
    format: AnswerFormat,
}

/// Formats of answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum AnswerFormat {
    /// For reading
    Table,
    /// JSON lines, with exact numbers
    Json,
}

impl Answer {
    /// Whether it is JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.format == AnswerFormat::Json
    }
}
