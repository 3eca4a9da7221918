use flowscope_core::Announcer;
use flowscope_record::{ByteSet, NoParser, ParserOptions, Ports, Protocol, Schema};

use crate::transfer::DATA;
use crate::{FTP, FTP_DATA, FtpDataParser, FtpExchange, FtpParser, FtpTransfer};

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
    const ANNOUNCER: Option<Announcer> =
        Some(Announcer { first_bytes: b"123456PEpe", find: FtpParser::announcement });
    type Stream = FtpParser;
    type Datagram = NoParser<FtpExchange>;
    type Record = FtpExchange;
    const SCHEMA: &'static Schema<FtpExchange> = &FTP;
}

/// Data connections of FTP over TCP, which control connections say to expect.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct FtpData;

impl Protocol for FtpData {
    const NAME: &'static str = DATA;
    const RECORDS: &'static str =
        "one per data connection that has bytes, where the control connection is read too";
    const PORTS: Ports = Ports::NONE;
    const FIRST_BYTES: ByteSet = ByteSet::NONE;
    const CARRIES: bool = true;
    type Stream = FtpDataParser;
    type Datagram = NoParser<FtpTransfer>;
    type Record = FtpTransfer;
    const SCHEMA: &'static Schema<FtpTransfer> = &FTP_DATA;

    fn stream(options: &ParserOptions) -> FtpDataParser {
        if options.files {
            FtpDataParser::with_files(options.file_bytes)
        } else {
            FtpDataParser::default()
        }
    }
}
