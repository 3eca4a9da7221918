use flowscope_record::{ByteSet, NoParser, Ports, Protocol, Schema};

use crate::schema::FTP;
use crate::{FtpExchange, FtpParser};

/// FTP: control connections over TCP.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Ftp;

impl Protocol for Ftp {
    const NAME: &'static str = "ftp";
    const RECORDS: &'static str =
        "one per command with its replies, and one per reply without a command";
    const PORTS: Ports = Ports::tcp(&[21]);
    /// Of the greeting `220`.
    const FIRST_BYTES: ByteSet = ByteSet::of(b"2");
    const CARRIES: bool = true;
    type Stream = FtpParser;
    type Datagram = NoParser<FtpExchange>;
    type Record = FtpExchange;
    const SCHEMA: &'static Schema<FtpExchange> = &FTP;
}
