//! Requests and their responses.

use flowscope_core::{FlowSide, Timestamp};

use crate::contents::{Contents, Data, Examination, Transfer};
use crate::counted::{Counted, HeapBytes};
use crate::frame::BodyPart;
use crate::message::SmbNtlmServer;
use crate::open_files::{FileRef, OpenFiles};
use crate::smb1;
use crate::smb2::{self, Header, READ, READ_RESPONSE, RELATED_ID, SET_INFO, WRITE, WRITE_REQUEST};
use crate::{
    SmbCommand, SmbDetail, SmbDialect, SmbExchange, SmbFile, SmbGuid, SmbNegotiation, SmbStatus,
    SmbTransformed,
};

/// Requests that may wait for a response.
const MAX_OPEN: usize = 128;
/// Logins that may be under way at once.
const MAX_LOGINS: usize = 8;

/// What is known of a connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pairing {
    /// Requests without a response, oldest first.
    open: Counted<Open, MAX_OPEN>,
    files: OpenFiles,
    logins: Counted<Login, MAX_LOGINS>,
    dialect: Option<SmbDialect>,
    transformed: Option<Transformed>,
    /// The chain at hand, of each side.
    chains: [Chain; 2],
    /// Where contents of files are examined.
    examination: Option<Box<Examination>>,
}

/// A request without a response.
#[derive(Clone, Debug)]
struct Open {
    message_id: u64,
    side: FlowSide,
    /// Code of the command; of SMB 1 the negotiation too.
    command: u16,
    file: Option<FileRef>,
    /// Where in the file is read.
    offset: u64,
    /// What becomes a record; none of reading and writing.
    exchange: Option<SmbExchange>,
}

/// What a server says of itself in a login that goes on.
#[derive(Clone, Debug)]
struct Login {
    session_id: u64,
    server: SmbNtlmServer,
}

/// What the requests of a chain have in common (§3.3.5.2.7.2).
#[derive(Clone, Copy, Debug, Default)]
struct Chain {
    session_id: u64,
    tree_id: u32,
    file: Option<FileRef>,
}

/// Messages that are encrypted or compressed, and are not read.
#[derive(Clone, Copy, Debug)]
struct Transformed {
    ts: Timestamp,
    side: FlowSide,
    session_id: u64,
    counts: SmbTransformed,
}

impl Pairing {
    /// Examines contents of files.
    pub(crate) fn examining(most_kept: usize) -> Self {
        let examination = Some(Box::new(Examination::new(most_kept)));
        Pairing { examination, ..Pairing::default() }
    }

    pub(crate) fn is_examining(&self) -> bool {
        self.examination.is_some()
    }

    /// Bytes of the body of a message that `side` sends: they may be the content of a file.
    pub(crate) fn part(&mut self, side: FlowSide, part: BodyPart<'_>) {
        let Some(header) = Header::new(part.header) else { return };
        let start_len = match (header.command, header.is_response) {
            (READ, true) if !header.status.is_error() => READ_RESPONSE,
            (WRITE, false) => WRITE_REQUEST,
            _ => return,
        };
        let Some(examination) = &mut self.examination else { return };
        let (most_kept, room) = (examination.most_kept, examination.room());
        let transfer = &mut examination.transfers[side.index()];
        if let Some(start) = transfer.start(part.at, part.bytes, start_len) {
            transfer.data = if header.is_response {
                let is_it = |open: &Open| {
                    (open.message_id, open.command, open.side) == (header.message_id, READ, !side)
                };
                let request = self.open.position(is_it).and_then(|at| self.open.get(at));
                request.and_then(|open| {
                    let (at, len) = smb2::read_data(&start[..READ_RESPONSE])?;
                    Some(Data { file: open.file?, is_write: false, at, len, offset: open.offset })
                })
            } else {
                let before = self.chains[side.index()].file;
                let before = before.filter(|_| header.is_related && !part.is_first);
                smb2::transfer_request(&start).and_then(|id| {
                    let file = if id == RELATED_ID { before? } else { FileRef::Handle(id) };
                    let ((at, len), offset) =
                        (smb2::write_data(&start)?, smb2::transfer_offset(&start));
                    Some(Data { file, is_write: true, at, len, offset })
                })
            };
        }
        if let Some(data) = &transfer.data {
            let (offset, bytes) = data.within(part.at, part.bytes);
            self.files.content(data, offset, bytes, most_kept, room);
        }
    }

    /// A message of SMB 2 that `side` sent.
    pub(crate) fn smb2(
        &mut self,
        side: FlowSide,
        ts: Timestamp,
        header: &Header,
        body: &[u8],
        is_first: bool,
        out: &mut Vec<SmbExchange>,
    ) {
        if let Some(examination) = &mut self.examination {
            examination.transfers[side.index()] = Transfer::default();
        }
        if header.is_response {
            self.response(side, ts, header, body, out);
        } else {
            self.request(side, ts, header, body, is_first, out);
        }
    }

    fn request(
        &mut self,
        side: FlowSide,
        ts: Timestamp,
        header: &Header,
        body: &[u8],
        is_first: bool,
        out: &mut Vec<SmbExchange>,
    ) {
        let &Header { command, message_id, .. } = header;
        let chain = &mut self.chains[side.index()];
        if is_first || !header.is_related {
            let Header { session_id, tree_id, .. } = *header;
            *chain = Chain { session_id, tree_id, file: None };
        }
        let Chain { session_id, tree_id, file: before } = *chain;
        let named = |id: SmbGuid| if id == RELATED_ID { before } else { Some(FileRef::Handle(id)) };

        if matches!(command, READ | WRITE) {
            if let Some(file) = smb2::transfer_request(body).and_then(named) {
                chain.file = Some(file);
                let (file, offset) = (Some(file), smb2::transfer_offset(body));
                self.push(Open { message_id, side, command, file, offset, exchange: None }, out);
            }
            return;
        }
        if self.examination.is_some()
            && command == SET_INFO
            && let Some((id, size)) = smb2::new_size(body)
            && let Some(file) = named(id)
        {
            self.files.update_contents(file, |contents| contents.resize(size));
        }
        let Some(detail) = smb2::request(command, body) else { return };
        let Some(name) = SmbCommand::of(command) else { return };
        let mut exchange = SmbExchange {
            is_requested: true,
            message_id,
            session_id,
            tree_id,
            dialect: self.dialect,
            ..SmbExchange::new(ts, side, name, detail)
        };
        let mut file = None;
        if let SmbDetail::File(it) = &mut exchange.detail {
            file = it.id.and_then(named);
            if it.id == Some(RELATED_ID) {
                it.id = None;
            }
            chain.file = match name {
                SmbCommand::Create => Some(FileRef::OpenedBy(message_id)),
                _ => file,
            };
        }
        self.push(
            Open { message_id, side, command, file, offset: 0, exchange: Some(exchange) },
            out,
        );
    }

    fn push(&mut self, open: Open, out: &mut Vec<SmbExchange>) {
        let oldest = self.open.push(open);
        out.extend(oldest.and_then(|open| self.unanswered(open)));
    }

    /// The request that this response belongs to.
    fn take(&mut self, side: FlowSide, message_id: u64, command: u16) -> Option<Open> {
        let is_it =
            |open: &Open| (open.message_id, open.command, open.side) == (message_id, command, side);
        let at = self.open.position(is_it)?;
        self.open.remove(at)
    }

    fn response(
        &mut self,
        side: FlowSide,
        ts: Timestamp,
        header: &Header,
        body: &[u8],
        out: &mut Vec<SmbExchange>,
    ) {
        let &Header { status, command, message_id, .. } = header;
        // Another response follows.
        if header.is_async && status == SmbStatus::PENDING {
            return;
        }
        let found = self.take(!side, message_id, command);
        if matches!(command, READ | WRITE) {
            if self.examination.is_some()
                && command == WRITE
                && status.is_error()
                && let Some(file) = found.as_ref().and_then(|open| open.file)
            {
                self.files.update_contents(file, Contents::refuse);
            }
            if !status.is_error()
                && let Some(file) = found.and_then(|open| open.file)
                && let Some(len) = smb2::transfer_response(body)
            {
                self.files.transferred(file, len, command == WRITE);
            }
            return;
        }
        let Some(name) = SmbCommand::of(command) else { return };
        let file = found.as_ref().and_then(|open| open.file);
        let mut exchange = match found.and_then(|open| open.exchange) {
            Some(mut exchange) => {
                exchange.latency = Some(ts.since(exchange.ts));
                exchange
            }
            None => SmbExchange {
                message_id,
                session_id: header.session_id,
                tree_id: header.tree_id,
                dialect: self.dialect,
                ..SmbExchange::new(ts, !side, name, smb2::without_request(command))
            },
        };
        exchange.status = Some(status);
        if !status.is_error() {
            smb2::answer(command, body, &mut exchange.detail);
        }
        match name {
            SmbCommand::Negotiate if !status.is_error() => {
                self.dialect = smb2::chosen(body).or(self.dialect);
                exchange.dialect = self.dialect;
            }
            SmbCommand::SessionSetup => {
                // The server assigns it.
                if header.session_id != 0 {
                    exchange.session_id = header.session_id;
                }
                self.login(status, &mut exchange);
            }
            SmbCommand::TreeConnect if !status.is_error() => {
                exchange.tree_id = header.tree_id;
                if let SmbDetail::Tree(tree) = &exchange.detail {
                    self.files.connect(exchange.session_id, exchange.tree_id, tree);
                }
            }
            SmbCommand::TreeDisconnect => {
                let SmbExchange { session_id, tree_id, .. } = exchange;
                let known = match status.is_error() {
                    true => self.files.tree(session_id, tree_id).cloned(),
                    false => self.files.disconnect(session_id, tree_id),
                };
                if let Some(known) = known {
                    exchange.detail = SmbDetail::Tree(Box::new(known));
                }
            }
            SmbCommand::Create if !status.is_error() => {
                self.files.open(&exchange, self.dialect, self.examination.is_some(), out);
            }
            SmbCommand::Close | SmbCommand::SetInfo => {
                if let SmbDetail::File(it) = &mut exchange.detail {
                    match name {
                        SmbCommand::Close if !status.is_error() => self.files.close(file, it),
                        _ => self.files.describe(file, it),
                    }
                    if let Some(new_name) = &it.new_name
                        && !status.is_error()
                    {
                        self.files.rename(file, new_name);
                    }
                }
            }
            _ => {}
        }
        // What goes on with a file that could not be opened fails likewise.
        let goes_on = matches!(file, Some(FileRef::OpenedBy(_))) && status.is_error();
        if !(goes_on && exchange.file().is_some_and(|it| it.id.is_none())) {
            out.extend(self.record(exchange));
        }
    }

    /// The record that an exchange becomes, if it says something: with the share of its file.
    fn record(&self, mut exchange: SmbExchange) -> Option<SmbExchange> {
        if !is_worth_a_record(&exchange) {
            return None;
        }
        if let SmbDetail::File(it) = &mut exchange.detail {
            self.files.locate(exchange.session_id, exchange.tree_id, it);
        }
        Some(exchange)
    }

    /// A step of a login: what the server said of itself is in the step that names the user too.
    fn login(&mut self, status: SmbStatus, exchange: &mut SmbExchange) {
        let SmbDetail::Login(login) = &mut exchange.detail else { return };
        let session_id = exchange.session_id;
        let before = self.logins.position(|it| it.session_id == session_id);
        let before = before.and_then(|at| self.logins.remove(at)).map(|it| it.server);
        if login.ntlm_server.is_none() {
            login.ntlm_server = before;
        }
        if status == SmbStatus::MORE_PROCESSING_REQUIRED
            && let Some(server) = &login.ntlm_server
        {
            self.logins.push(Login { session_id, server: server.clone() });
        }
    }

    /// A message of SMB 1 that `side` sent.
    pub(crate) fn smb1(
        &mut self,
        side: FlowSide,
        ts: Timestamp,
        message: smb1::Message,
        out: &mut Vec<SmbExchange>,
    ) {
        let new = |is_requested, id: u16, side, negotiation| {
            let detail = SmbDetail::Negotiation(Box::new(negotiation));
            SmbExchange {
                is_smb1: true,
                is_requested,
                message_id: id.into(),
                ..SmbExchange::new(ts, side, SmbCommand::Negotiate, detail)
            }
        };
        match message {
            smb1::Message::Request { id, offer } => {
                let exchange = Some(new(true, id, side, offer));
                // A server may answer in SMB 2, which numbers messages from 0.
                self.push(
                    Open { message_id: 0, side, command: 0, file: None, offset: 0, exchange },
                    out,
                );
            }
            smb1::Message::Response { id, status, chosen, mut answer } => {
                let mut exchange = match self.take(!side, 0, 0).and_then(|open| open.exchange) {
                    Some(mut exchange) => {
                        exchange.latency = Some(ts.since(exchange.ts));
                        exchange
                    }
                    None => new(false, id, !side, SmbNegotiation::default()),
                };
                if let SmbDetail::Negotiation(it) = &mut exchange.detail {
                    answer.offered = std::mem::take(&mut it.offered);
                    let name = chosen.and_then(|at| answer.offered.get(usize::from(at)));
                    exchange.dialect = name.map(|name| smb1::dialect(name));
                    self.dialect = exchange.dialect.or(self.dialect);
                    **it = answer;
                }
                exchange.status = Some(status);
                out.push(exchange);
            }
            smb1::Message::Other => {}
        }
    }

    /// Counts a message that is not read: an encrypted one, with its session id, or a compressed one, without.
    pub(crate) fn transformed(
        &mut self,
        side: FlowSide,
        ts: Timestamp,
        session_id: Option<u64>,
        len: u32,
    ) {
        let transformed = self.transformed.get_or_insert(Transformed {
            ts,
            side,
            session_id: session_id.unwrap_or(0),
            counts: SmbTransformed::default(),
        });
        let SmbTransformed { encrypted, compressed, bytes } = &mut transformed.counts;
        *if session_id.is_some() { encrypted } else { compressed } += 1;
        *bytes += u64::from(len);
    }

    /// A request that gets no response any more.
    fn unanswered(&mut self, open: Open) -> Option<SmbExchange> {
        let mut exchange = open.exchange?;
        if let SmbDetail::File(it) = &mut exchange.detail {
            match exchange.command {
                SmbCommand::Close => self.files.close(open.file, it),
                _ => self.files.describe(open.file, it),
            }
        }
        self.record(exchange)
    }

    /// Nothing more comes.
    pub(crate) fn end(&mut self, out: &mut Vec<SmbExchange>) {
        let open = self.open.take();
        out.extend(open.into_iter().filter_map(|open| self.unanswered(open)));
        self.files.end(self.dialect, out);
        self.logins.take();
        out.extend(self.transformed.take().map(|Transformed { ts, side, session_id, counts }| {
            let detail = SmbDetail::Transformed(counts);
            SmbExchange {
                session_id,
                dialect: self.dialect,
                ..SmbExchange::new(ts, side, SmbCommand::Transform, detail)
            }
        }));
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        let examination = self.examination.as_ref().map_or(0, |_| size_of::<Examination>());
        self.open.heap_bytes() + self.files.heap_bytes() + self.logins.heap_bytes() + examination
    }

    /// The same, counted anew.
    #[cfg(test)]
    pub(crate) fn recounted(&self) -> usize {
        let examination = self.examination.as_ref().map_or(0, |_| size_of::<Examination>());
        self.open.recounted() + self.files.recounted() + self.logins.recounted() + examination
    }
}

impl HeapBytes for Open {
    fn heap_bytes(&self) -> usize {
        self.exchange.as_ref().map_or(0, SmbExchange::heap_bytes)
    }
}

impl HeapBytes for Login {
    fn heap_bytes(&self) -> usize {
        self.server.heap_bytes()
    }
}

/// Whether a request says something: leaving does only where it fails, and closing a file where bytes of it were read or written,
/// too.
fn is_worth_a_record(exchange: &SmbExchange) -> bool {
    let is_error = exchange.status.is_some_and(SmbStatus::is_error);
    match exchange.command {
        SmbCommand::Logoff | SmbCommand::TreeDisconnect => is_error,
        SmbCommand::Close => {
            let transferred = |it: &SmbFile| it.bytes_read > 0 || it.bytes_written > 0;
            is_error || exchange.file().is_some_and(transferred)
        }
        // Without its request it does not say what was set.
        SmbCommand::SetInfo => exchange.is_requested,
        _ => true,
    }
}
