//! Markup, and text made inert for it.

use std::fmt::{self, Display, Write};
use std::time::Duration;

use flowscope_core::Timestamp;
use flowscope_output::{rfc3339, terminal};
use flowscope_record::span;

use crate::ReportTotals;

/// A page that is being written.
///
/// Markup is of this program alone: [`raw`](Html::raw) takes literals. Everything else is escaped, for text and for
/// values of attributes in quotes.
#[derive(Debug, Default)]
pub(crate) struct Html(String);

impl Html {
    /// Appends markup.
    pub(crate) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Appends text: control characters and those that change the direction of writing are spelled out, and nothing is
    /// markup.
    pub(crate) fn text(&mut self, text: impl Display) -> &mut Self {
        escape(&text.to_string(), &mut self.0);
        self
    }

    /// Appends text of the wire: isolated, so that its direction of writing changes nothing around it, and cut.
    pub(crate) fn wire(&mut self, text: &str) -> &mut Self {
        self.raw("<bdi>");
        let start = self.0.len();
        for (at, c) in terminal(text).chars().enumerate() {
            if at == MAX_CHARS || self.0.len() - start >= MAX_ESCAPED {
                self.raw("…");
                break;
            }
            escape_char(c, &mut self.0);
        }
        self.raw("</bdi>")
    }

    /// Appends a number, in groups of three digits.
    pub(crate) fn number(&mut self, n: u64) -> &mut Self {
        self.text(Grouped(n))
    }

    /// Appends a number of bytes, with three digits and a unit.
    pub(crate) fn size(&mut self, bytes: u64) -> &mut Self {
        self.text(Size(bytes))
    }

    /// Appends a share in percent.
    pub(crate) fn share(&mut self, part: u64, whole: u64) -> &mut Self {
        self.text(Share(part, whole))
    }

    /// Appends a cell with a number, by which its column is sorted.
    pub(crate) fn number_cell(&mut self, n: u64) -> &mut Self {
        self.raw("<td class=n data-v=\"").text(n).raw("\">").number(n).raw("</td>")
    }

    /// Appends a cell with the number of a flow, as other commands take it.
    pub(crate) fn id_cell(&mut self, id: u64) -> &mut Self {
        self.raw("<td class=n data-v=\"").text(id).raw("\">").text(id).raw("</td>")
    }

    /// Appends a cell with a number of bytes, by which its column is sorted.
    pub(crate) fn size_cell(&mut self, bytes: u64) -> &mut Self {
        self.raw("<td class=n data-v=\"").text(bytes).raw("\">").size(bytes).raw("</td>")
    }

    /// Appends a cell with a span of time, by which its column is sorted.
    pub(crate) fn span_cell(&mut self, time: Option<Duration>) -> &mut Self {
        match time {
            Some(time) => {
                self.raw("<td class=n data-v=\"").text(time.as_nanos()).raw("\">");
                self.text(span(time)).raw("</td>")
            }
            None => self.raw("<td class=n data-v=\"-1\">–</td>"),
        }
    }

    /// Appends a bar: from `at` on, so long, both of `whole`.
    pub(crate) fn bar(&mut self, at: u64, len: u64, whole: u64, class: &'static str) -> &mut Self {
        let per_mille = |n: u64| n as f64 * 1000.0 / whole.max(1) as f64;
        self.raw("<svg class=\"bar ").raw(class);
        self.raw("\" viewBox=\"0 0 1000 10\" preserveAspectRatio=none aria-hidden=true>");
        self.raw("<rect x=\"").text(format_args!("{:.1}", per_mille(at)));
        self.raw("\" width=\"").text(format_args!("{:.1}", per_mille(len).max(2.0)));
        self.raw("\" height=10></rect></svg>")
    }

    /// The page.
    pub(crate) fn into_string(self) -> String {
        self.0
    }

    /// Appends what was escaped by the rules of where it stands: a style, a script, or data of one.
    pub(crate) fn embedded(&mut self, text: &str) -> &mut Self {
        self.0.push_str(text);
        self
    }
}

/// Characters of a text of the wire that are shown.
const MAX_CHARS: usize = 120;

/// Bytes of their markup after which no further character is shown.
const MAX_ESCAPED: usize = 240;

/// Text for HTML, SVG or XML, also in attributes with quotes: nothing of it is markup, and control characters and
/// those that change the direction of writing are spelled out.
///
/// ```
/// use flowscope_report::markup_text;
///
/// assert_eq!(markup_text("<b>\u{202e}"), "&lt;b&gt;\\u{202e}");
/// ```
#[must_use]
pub fn markup_text(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    escape(text, &mut escaped);
    escaped
}

fn escape(text: &str, out: &mut String) {
    terminal(text).chars().for_each(|c| escape_char(c, out));
}

fn escape_char(c: char, out: &mut String) {
    match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '"' => out.push_str("&quot;"),
        '\'' => out.push_str("&#39;"),
        c => out.push(c),
    }
}

/// Text inside of `<script type="application/json">`: what would end it, or a line of a script, is escaped as JSON
/// allows.
pub(crate) fn script_data(json: &str) -> String {
    let mut data = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(data, "\\u{:04x}", u32::from(c));
            }
            c => data.push(c),
        }
    }
    data
}

/// A number in groups of three digits.
pub(crate) struct Grouped(pub(crate) u64);

impl Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                f.write_char(',')?;
            }
            f.write_char(digit)?;
        }
        Ok(())
    }
}

/// A number of bytes with three digits and a unit.
pub(crate) struct Size(pub(crate) u64);

impl Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        scaled(f, self.0 as f64, ["B", "kB", "MB", "GB", "TB", "PB", "EB"])
    }
}

/// Bits per second with three digits and a unit.
pub(crate) struct BitRate(pub(crate) f64);

impl Display for BitRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        scaled(f, self.0, ["bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s", "Pbit/s", "Ebit/s"])
    }
}

fn scaled(f: &mut fmt::Formatter<'_>, mut n: f64, units: [&str; 7]) -> fmt::Result {
    let mut at = 0;
    while n >= 999.5 && at + 1 < units.len() {
        n /= 1000.0;
        at += 1;
    }
    let decimals = match n {
        _ if at == 0 => 0,
        n if n < 9.995 => 2,
        n if n < 99.95 => 1,
        _ => 0,
    };
    write!(f, "{n:.decimals$}\u{a0}{}", units[at])
}

/// A share in percent.
struct Share(u64, u64);

impl Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = self.0 as f64 * 100.0 / self.1.max(1) as f64;
        match self.0 {
            0 => f.write_str("0\u{a0}%"),
            _ if percent < 0.1 => f.write_str("<\u{a0}0.1\u{a0}%"),
            _ if percent < 10.0 => write!(f, "{percent:.1}\u{a0}%"),
            _ => write!(f, "{percent:.0}\u{a0}%"),
        }
    }
}

/// A point in time as `2026-01-02 03:04:05.123456`, in UTC.
pub(crate) fn utc(ts: Timestamp) -> String {
    rfc3339(ts).as_str().replace('T', " ").replace('Z', "")
}

/// Whether times of day are ambiguous.
pub(crate) fn is_dated(totals: &ReportTotals) -> bool {
    totals.start.is_some_and(|start| totals.end.since(start).as_secs() >= 86_400)
}

/// The time of day, `03:04:05.123`; with its date, `01-02 03:04:05`.
pub(crate) fn time_of(ts: Timestamp, dated: bool) -> String {
    let text = rfc3339(ts);
    let part = if dated { 5..19 } else { 11..23 };
    text.as_str().get(part).unwrap_or_default().replace('T', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_inert_wherever_it_stands() {
        let mut html = Html::default();
        html.text("</script><img src=x onerror='a\"&'>\u{202e}\u{0}\n");
        let expected =
            "&lt;/script&gt;&lt;img src=x onerror=&#39;a&quot;&amp;&#39;&gt;\\u{202e}\\u{0}\\n";
        assert_eq!(html.into_string(), expected);
        assert_eq!(script_data("</script>&\u{2028}a"), "\\u003c/script\\u003e\\u0026\\u2028a");
    }

    #[test]
    fn long_text_is_cut_between_characters_of_its_own() {
        let shown = |text: &str| {
            let mut html = Html::default();
            html.wire(text);
            html.into_string()
        };
        assert_eq!(shown(&"a".repeat(120)), format!("<bdi>{}</bdi>", "a".repeat(120)));
        assert_eq!(shown(&"a".repeat(121)), format!("<bdi>{}…</bdi>", "a".repeat(120)));
        assert_eq!(shown(&"\"".repeat(999)), format!("<bdi>{}…</bdi>", "&quot;".repeat(40)));
        assert!(shown(&"\u{202e}".repeat(999)).len() < 300);
    }

    #[test]
    fn numbers_are_short() {
        let text = |n| Size(n).to_string().replace('\u{a0}', " ");
        let sizes = [0, 999, 1000, 9_995, 148_363, 999_499, 999_500, u64::MAX].map(text);
        let expected =
            ["0 B", "999 B", "1.00 kB", "10.0 kB", "148 kB", "999 kB", "1.00 MB", "18.4 EB"];
        assert_eq!(sizes, expected);
        assert_eq!(
            [0, 12, 123, 1234, 1_234_567].map(|n| Grouped(n).to_string()),
            ["0", "12", "123", "1,234", "1,234,567"]
        );
        let share = |part, whole| Share(part, whole).to_string().replace('\u{a0}', " ");
        assert_eq!(
            [share(0, 9), share(1, 9999), share(1, 30), share(1, 2), share(1, 0)],
            ["0 %", "< 0.1 %", "3.3 %", "50 %", "100 %"]
        );
    }
}
