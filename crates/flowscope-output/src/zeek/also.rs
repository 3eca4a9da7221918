//! Lines that a record has in other logs than its own.

use flowscope_record::{Record, Schema, Visitor};

use super::ZeekFormat;
use crate::RecordHeader;

impl ZeekFormat {
    /// Calls `each` with the name and the lines of every [other log](Schema::zeek_also) in which a record has any;
    /// the lines are without a header.
    pub fn rows_also(
        &mut self,
        header: &RecordHeader,
        record: &impl Record,
        each: impl FnMut(&'static str, Vec<u8>),
    ) {
        record.visit(Also { format: self, header, each });
    }
}

struct Also<'a, F> {
    format: &'a mut ZeekFormat,
    header: &'a RecordHeader,
    each: F,
}

impl<F: FnMut(&'static str, Vec<u8>)> Visitor for Also<'_, F> {
    type Output = ();

    fn record<R: Send + 'static>(mut self, schema: &'static Schema<R>, record: &R) {
        for also in schema.zeek_also {
            let mut lines = Vec::new();
            self.format.lines(also, self.header, record, false, &mut lines);
            if !lines.is_empty() {
                (self.each)(also.zeek_log, lines);
            }
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
        let (header, mut format, mut logs) = (header(), ZeekFormat::tsv(), Vec::new());
        format.rows_also(&header, &Ping(&WITH), |log, lines| logs.push((log, lines)));
        let [(log, lines)] = &logs[..] else { panic!("{logs:?}") };
        let rows = lines.iter().filter(|&&byte| byte == b'\n').count();
        assert_eq!((*log, rows, lines.contains(&b'#')), ("certs", 2, false));
        format.rows_also(&header, &Ping(&CERTS), |log, _| panic!("{log}"));
    }
}
