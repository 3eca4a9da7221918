//! Lines that a record has in other logs than its own.

use flowscope_record::{Record, Schema, Visitor};

use super::{Plan, ZeekFormat};
use crate::RecordHeader;

impl ZeekFormat {
    /// Appends the lines that a record has in this one of its [other logs](Schema::zeek_also), without a
    /// header.
    pub fn rows_also(
        &mut self,
        log: &str,
        header: &RecordHeader,
        record: &impl Record,
        out: &mut Vec<u8>,
    ) {
        record.visit(Also { format: self, log, header, out });
    }

    /// The lines of a record in another log; with the log's header, if there are any.
    pub(super) fn lines_also<R: Send + 'static>(
        &mut self,
        also: &'static Schema<R>,
        header: &RecordHeader,
        record: &R,
        begin: bool,
        out: &mut Vec<u8>,
    ) {
        let Some(rows) = also.zeek_rows else { return };
        rows(record, &mut |row| {
            if begin {
                self.begin_log(also, (also.time)(row), out);
            }
            let (json, pathless) = (self.json, self.pathless);
            let plan = self.plans.get(also, || Plan::new(also));
            if json {
                plan.object(also, header, row, pathless, out);
            } else {
                plan.row(also, header, row, out);
            }
        });
    }
}

struct Also<'a> {
    format: &'a mut ZeekFormat,
    log: &'a str,
    header: &'a RecordHeader,
    out: &'a mut Vec<u8>,
}

impl Visitor for Also<'_> {
    type Output = ();

    fn record<R: Send + 'static>(self, schema: &'static Schema<R>, record: &R) {
        for also in schema.zeek_also.iter().filter(|also| also.zeek_log == self.log) {
            self.format.lines_also(also, self.header, record, false, self.out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Ping, header, schema, written};
    use super::*;

    #[test]
    fn a_record_may_have_lines_in_other_logs() {
        static CERTS: Schema<Ping> = Schema {
            zeek_rows: Some(|ping, row| {
                row(ping);
                row(ping);
            }),
            ..schema("certs", &[])
        };
        static NONE: Schema<Ping> = Schema { zeek_rows: Some(|_, _| {}), ..schema("none", &[]) };
        static WITH: Schema<Ping> = Schema { zeek_also: &[&CERTS, &NONE], ..schema("with", &[]) };
        let check = |format: ZeekFormat, paths: &[&str], rows: usize| {
            let text = written(format, &[&WITH, &WITH]);
            let found: Vec<_> =
                text.lines().filter_map(|line| line.strip_prefix("#path\t")).collect();
            assert_eq!(found, paths);
            assert_eq!(text.lines().filter(|line| !line.starts_with('#')).count(), rows);
        };
        check(ZeekFormat::tsv(), &["with", "certs", "with", "certs"], 6);
        check(ZeekFormat::tsv().without_other_logs(), &["with"], 2);
        check(ZeekFormat::json(), &[], 6);
        // For logs that are files, each by itself.
        let (header, mut format, mut out) = (header(), ZeekFormat::tsv(), Vec::new());
        format.rows_also("certs", &header, &Ping(&WITH), &mut out);
        format.rows_also("with", &header, &Ping(&WITH), &mut out);
        format.rows_also("none", &header, &Ping(&WITH), &mut out);
        let rows = out.iter().filter(|&&byte| byte == b'\n').count();
        assert_eq!((rows, out.contains(&b'#')), (2, false));
    }
}
