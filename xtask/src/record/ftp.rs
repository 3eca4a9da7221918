//! FTP: pyftpdlib, with curl as its client.

use super::capture::Stamps;
use super::lab::{End, Lab};
use super::{Recipe, Then};
use crate::Result;

pub(super) const RECIPES: &[Recipe] = &[Recipe {
    name: "ftp.pcap",
    holds: "FTP: a listing, files over data connections of `EPSV`, `PASV`, `EPRT` and `PORT`, one from its middle on, one that is \
            stored, one that is appended to, one that is missing, and a wrong password.",
    stamps: Stamps::Micro,
    make: files,
    then: Then::Keep,
    expected: &[
        ("ftp.request.command == \"EPSV\"", 5),
        ("ftp.request.command == \"PASV\"", 1),
        ("ftp.request.command == \"EPRT\"", 1),
        ("ftp.request.command == \"PORT\"", 1),
        ("ftp.request.command == \"REST\"", 1),
        ("ftp.request.command == \"STOR\"", 1),
        ("ftp.request.command == \"APPE\"", 1),
        ("ftp.response.code == 530", 1),
        ("ftp.response.code == 550", 1),
        ("ftp-data", 8),
    ],
}];

fn files(lab: &mut Lab) -> Result<()> {
    lab.prepare(
        End::Server,
        "mkdir -p share/in && seq 1 2000 > share/readme.txt && seq 1 9000 | gzip -n > share/numbers.gz",
    )?;
    lab.prepare(End::Client, "seq 1 300 > draft.txt")?;
    lab.server(
        "tcp/21",
        "/usr/bin/python3 -m pyftpdlib -i 10.77.0.2 -p 21 -w -d share -r 50000-50009",
    )?;
    let host = "ftp://10.77.0.2";
    for line in [
        format!("curl -sS -o list {host}/"),
        format!("curl -sS -o copy {host}/readme.txt"),
        format!("curl -sS --disable-epsv -o copy {host}/numbers.gz"),
        format!("curl -sS -P - -o copy {host}/readme.txt"),
        format!("curl -sS --disable-eprt -P - -o copy {host}/numbers.gz"),
        format!("curl -sS -C 5000 -o rest {host}/readme.txt"),
        format!("curl -sS -T draft.txt {host}/in/new.txt"),
        format!("curl -sS -a -T draft.txt {host}/in/new.txt"),
        format!("! curl -sS -o copy {host}/missing.txt"),
        format!("! curl -sS -u bob:wrong -o copy {host}/readme.txt"),
    ] {
        lab.client(&line)?;
    }
    Ok(())
}
