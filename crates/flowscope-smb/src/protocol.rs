use flowscope_record::{ByteSet, NoParser, ParserOptions, Ports, Protocol, Schema};

use crate::schema::SMB;
use crate::{SmbExchange, SmbParser};

/// SMB over TCP, and over sessions of NetBIOS.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Smb;

impl Protocol for Smb {
    const NAME: &'static str = "smb";
    const RECORDS: &'static str = "one per negotiation, step of a login, share, file that is opened, renamed or deleted, and file that was \
        read or written when it is closed";
    const PORTS: Ports = Ports::tcp(&[445, 139]);
    /// Of a length, and of a session that is asked for or granted.
    const FIRST_BYTES: ByteSet = ByteSet::of(&[0, 0x81, 0x82]);
    type Stream = SmbParser;
    type Datagram = NoParser<SmbExchange>;
    type Record = SmbExchange;
    const SCHEMA: &'static Schema<SmbExchange> = &SMB;

    fn stream(options: &ParserOptions) -> SmbParser {
        if options.files { SmbParser::with_files(options.file_bytes) } else { SmbParser::default() }
    }
}
