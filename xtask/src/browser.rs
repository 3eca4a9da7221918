//! Pages of `flowscope report`, opened in a browser.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use flowscope_core::FlowSide::{Initiator, Responder};
use flowscope_testkit::attacks::capture;
use flowscope_testkit::{Dialogue, Packet};
use xshell::{Shell, cmd};

use crate::{Result, needs};

/// The scripts, and what they need of npm.
const SCRIPTS: &str = "tests/report-browser";

/// Where pages and screenshots go.
const OUT: &str = "target/report-browser";

/// Names that a page must not take for markup, for a script, or for an order to write backwards.
const HOSTILE: [&str; 6] = [
    "</script><script>hit=1</script>",
    "<img/src=x/onerror=hit=1>",
    "\"><svg/onload=hit=1>",
    "'onfocus='hit=1'autofocus='",
    "\u{202e}gpj.exe\u{2066}",
    "&#60;script&#62;hit=1&#60;/script&#62;",
];

/// Needs chromium and npm; where one is missing, or npm cannot fetch its packages, it is skipped.
pub(crate) fn check(sh: &Shell) -> Result<()> {
    let Some(chromium) = find(sh, &["chromium", "chromium-browser", "google-chrome"]) else {
        return needs::skip("browser", "there is no chromium");
    };
    if find(sh, &["npm"]).is_none() || find(sh, &["node"]).is_none() {
        return needs::skip("browser", "there is no npm");
    }
    {
        let _folder = sh.push_dir(SCRIPTS);
        let options = ["--ignore-scripts", "--no-audit", "--no-fund", "--silent"];
        if cmd!(sh, "npm ci {options...}").quiet().run().is_err() {
            return needs::skip("browser", "npm cannot fetch its packages");
        }
    }
    fs::create_dir_all(OUT)?;
    let hostile = Path::new(OUT).join("hostile.pcap");
    write_hostile(&hostile)?;
    let (mixed, hostile_page) = (format!("{OUT}/mixed.html"), format!("{OUT}/hostile.html"));
    let run = ["run", "--quiet", "-p", "flowscope-cli", "--", "report", "--quiet", "-o"];
    cmd!(sh, "cargo {run...} {mixed} tests/data/mixed.pcapng").run()?;
    cmd!(sh, "cargo {run...} {hostile_page} {hostile}").run()?;
    Ok(cmd!(sh, "node {SCRIPTS}/check.mjs {chromium} {OUT} {mixed} {hostile_page}").run()?)
}

/// The first of these programs that there is.
fn find(sh: &Shell, names: &[&str]) -> Option<String> {
    let is_there = |name: &str| cmd!(sh, "which {name}").quiet().ignore_stderr().read().ok();
    names.iter().find_map(|name| is_there(name))
}

/// A capture in which all that a peer may choose is hostile.
fn write_hostile(path: &Path) -> Result<()> {
    let packets = || {
        HOSTILE.iter().zip(1_u64..).flat_map(|(name, at)| {
            let client = format!("10.0.0.{at}");
            let request =
                format!("GET /{name} HTTP/1.1\r\nHost: {name}\r\nUser-Agent: {name}\r\n\r\n");
            let response = format!("HTTP/1.1 404 {name}\r\nContent-Length: 0\r\n\r\n");
            let initiator = format!("{client}:40000");
            let http = Dialogue::tcp(&initiator, "10.0.0.99:80")
                .at(1_767_323_045 + at)
                .handshake()
                .data(Initiator, request)
                .data(Responder, response)
                .close(Responder);
            http.build().into_iter().map(|(ts, bytes)| Packet::ethernet(ts, bytes))
        })
    };
    let mut file = BufWriter::new(File::create(path)?);
    capture::write(packets, &mut file)?;
    Ok(file.flush()?)
}
