use std::sync::OnceLock;

use flowscope_core::TcpFlags;
use flowscope_testkit::{Rng, frame};

use crate::Trace;

/// A frame to copy: a conversation fills in who, and the numbers.
struct Template {
    bytes: Vec<u8>,
    flags: TcpFlags,
    payload: u32,
}

/// One line of a script.
#[derive(Clone, Copy)]
struct Turn {
    from_client: bool,
    template: What,
}

/// What a packet is.
#[derive(Clone, Copy)]
pub(crate) enum What {
    Syn,
    SynAck,
    Ack,
    Fin,
    HttpRequest,
    HttpResponse,
    ClientHello,
    ServerHello,
    Finished,
    Record,
    DnsQuery,
    DnsResponse,
    /// 102 bytes in all.
    Chunk,
    /// 1384 bytes in all.
    Large,
    /// 1514 bytes in all.
    Full,
    Ping,
    /// An HTTP request of a connection that is kept.
    Ask,
    /// The first segment of its response, 1514 bytes in all; [`PAGE`] - 1 times [`Full`](What::Full)
    /// follows.
    Page,
    /// 60 bytes of chance.
    Noise,
    /// The same as a datagram.
    NoiseDatagram,
}

impl What {
    /// Bytes of payload.
    pub(crate) fn len(self) -> u32 {
        templates()[0][self as usize].payload
    }
}

const KINDS: usize = What::NoiseDatagram as usize + 1;

/// Segments of the response to [`What::Ask`].
pub(crate) const PAGE: u32 = 36;

/// What a conversation is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Topic {
    /// TCP: request, response, close. 9 packets.
    Http,
    /// TCP: a TLS handshake, a record each way, close. 11 packets.
    Tls,
    /// UDP: query, response.
    Dns,
    /// TCP: a request, then that many large segments, an ACK behind each.
    Download(u32),
    /// TCP: a request, then that many full segments, an ACK behind every second one.
    Bulk(u32),
    /// TCP: handshake and a segment each way, then 48-byte segments for ever.
    Chat,
    /// TCP: one SYN.
    Probe,
    /// TCP: random bytes each way, close. 9 packets.
    Unknown,
    /// UDP: random bytes each way.
    UnknownDatagrams,
    /// UDP: 64-byte datagrams of the client, for ever.
    Pings,
}

/// One flow on its way through its script.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Conversation {
    topic: Topic,
    step: u32,
    v6: bool,
    client: u32,
    server: u32,
    port: u16,
    /// Next sequence number of client and server.
    next: [u32; 2],
}

impl Conversation {
    /// Between hosts and ports of chance, one in ten over IPv6.
    pub(crate) fn new(topic: Topic, rng: &mut Rng) -> Self {
        let (hosts, rest) = (rng.next_u64(), rng.next_u64());
        Conversation {
            topic,
            step: 0,
            v6: rest.is_multiple_of(10),
            client: 0x0a00_0000 | hosts as u32 & 0x00ff_ffff,
            server: 0xc000_0000 | (hosts >> 32) as u32 & 0x0fff_ffff,
            port: 1024 | (rest >> 48) as u16,
            next: [(rest >> 8) as u32, (rest >> 16) as u32 ^ 0x5555_5555],
        }
    }

    /// Appends the next packet; says whether more follow.
    pub(crate) fn speak(&mut self, trace: &mut Trace, nanos: u64, rng: &mut Rng) -> bool {
        let (turn, more) = self.turn(rng);
        self.step += 1;
        self.write(turn, trace, nanos);
        more
    }

    fn turn(&self, rng: &mut Rng) -> (Turn, bool) {
        use What::{
            Ack, Chunk, ClientHello, DnsQuery, DnsResponse, Fin, Finished, Full, HttpRequest,
            HttpResponse, Large, Noise, NoiseDatagram, Ping, Record, ServerHello, Syn, SynAck,
        };
        const C: bool = true;
        const S: bool = false;
        const HTTP: [(bool, What); 9] = [
            (C, Syn),
            (S, SynAck),
            (C, Ack),
            (C, HttpRequest),
            (S, HttpResponse),
            (C, Ack),
            (C, Fin),
            (S, Fin),
            (C, Ack),
        ];
        const TLS: [(bool, What); 11] = [
            (C, Syn),
            (S, SynAck),
            (C, Ack),
            (C, ClientHello),
            (S, ServerHello),
            (C, Finished),
            (C, Record),
            (S, Record),
            (C, Fin),
            (S, Fin),
            (C, Ack),
        ];
        const DNS: [(bool, What); 2] = [(C, DnsQuery), (S, DnsResponse)];
        const PROBE: [(bool, What); 1] = [(C, Syn)];
        const UNKNOWN: [(bool, What); 9] = [
            (C, Syn),
            (S, SynAck),
            (C, Ack),
            (C, Noise),
            (S, Noise),
            (C, Ack),
            (C, Fin),
            (S, Fin),
            (C, Ack),
        ];
        const DATAGRAMS: [(bool, What); 2] = [(C, NoiseDatagram), (S, NoiseDatagram)];
        let scripted = |script: &[(bool, What)]| {
            let (from_client, template) = script[self.step as usize];
            (Turn { from_client, template }, (self.step as usize) + 1 < script.len())
        };
        let turn = |(from_client, template)| (Turn { from_client, template }, true);
        // Handshake and request, then a middle part, then what HTTP ends with.
        let middle = |period: u32, periods: u32, packet: &dyn Fn(u32) -> (bool, What)| {
            let at = self.step - 4;
            if at < period * periods {
                return turn(packet(at % period));
            }
            let (from_client, template) = HTTP[(6 + at - period * periods) as usize];
            (Turn { from_client, template }, at < period * periods + 2)
        };
        match self.topic {
            Topic::Http => scripted(&HTTP),
            Topic::Tls => scripted(&TLS),
            Topic::Dns => scripted(&DNS),
            Topic::Probe => scripted(&PROBE),
            Topic::Unknown => scripted(&UNKNOWN),
            Topic::UnknownDatagrams => scripted(&DATAGRAMS),
            Topic::Pings => turn((C, Ping)),
            Topic::Chat => match self.step {
                0..3 => turn(HTTP[self.step as usize]),
                3 => turn((C, Chunk)),
                4 => turn((S, Chunk)),
                _ => turn((rng.one_in(2), Chunk)),
            },
            Topic::Download(_) | Topic::Bulk(_) if self.step < 4 => turn(HTTP[self.step as usize]),
            Topic::Download(n) => middle(2, n, &|at| if at == 0 { (S, Large) } else { (C, Ack) }),
            Topic::Bulk(n) => middle(3, n / 2, &|at| if at < 2 { (S, Full) } else { (C, Ack) }),
        }
    }

    fn write(&mut self, turn: Turn, trace: &mut Trace, nanos: u64) {
        let (own, peer) = if turn.from_client { (0, 1) } else { (1, 0) };
        let numbers = (self.next[own], self.next[peer]);
        let len = self.put(turn.from_client, turn.template, numbers, trace, nanos);
        self.next[own] = self.next[own].wrapping_add(len);
    }

    /// Sequence numbers with which client and server begin.
    pub(crate) fn numbers(&self) -> [u32; 2] {
        self.next
    }

    /// Appends a packet with these sequence and acknowledgement numbers; returns how many sequence
    /// numbers it takes up.
    pub(crate) fn put(
        &self,
        from_client: bool,
        what: What,
        (seq, ack): (u32, u32),
        trace: &mut Trace,
        nanos: u64,
    ) -> u32 {
        let template = &templates()[usize::from(self.v6)][what as usize];
        let frame = trace.push(&template.bytes, nanos);
        let (server_port, tcp) = match self.topic {
            Topic::Http | Topic::Download(_) | Topic::Bulk(_) | Topic::Probe => (80, true),
            Topic::Tls | Topic::Chat => (443, true),
            Topic::Dns => (53, false),
            Topic::Pings | Topic::UnknownDatagrams => (9999, false),
            Topic::Unknown => (9999, true),
        };
        let (mut ends, mut ports) =
            ([self.client.to_be_bytes(), self.server.to_be_bytes()], [self.port, server_port]);
        if !from_client {
            ends.reverse();
            ports.reverse();
        }
        let transport = if self.v6 { 54 } else { 34 };
        let (source, destination) = if self.v6 { (34, 50) } else { (26, 30) };
        frame[source..source + 4].copy_from_slice(&ends[0]);
        frame[destination..destination + 4].copy_from_slice(&ends[1]);
        frame[transport..transport + 2].copy_from_slice(&ports[0].to_be_bytes());
        frame[transport + 2..transport + 4].copy_from_slice(&ports[1].to_be_bytes());
        if tcp {
            let ack = if template.flags.ack() { ack } else { 0 };
            frame[transport + 4..transport + 8].copy_from_slice(&seq.to_be_bytes());
            frame[transport + 8..transport + 12].copy_from_slice(&ack.to_be_bytes());
        }
        if matches!(what, What::Noise | What::NoiseDatagram) {
            let payload = frame.len() - template.payload as usize;
            let mut noise = Rng::new(u64::from(self.client) << 32 | u64::from(seq));
            frame[payload..].copy_from_slice(&noise.bytes(template.payload as usize));
        }
        template.payload + u32::from(template.flags.syn()) + u32::from(template.flags.fin())
    }
}

/// By IP version and [`What`]. Checksums are those of the template: nothing that is measured reads
/// them.
fn templates() -> &'static [[Template; KINDS]; 2] {
    static TEMPLATES: OnceLock<[[Template; KINDS]; 2]> = OnceLock::new();
    TEMPLATES.get_or_init(|| [false, true].map(set))
}

fn set(v6: bool) -> [Template; KINDS] {
    let ip = || {
        let ethernet = frame().ethernet();
        if v6 {
            ethernet.ipv6("2001:db8::1", "2001:db8::2")
        } else {
            ethernet.ipv4("10.0.0.1", "10.0.0.2")
        }
    };
    let tcp = |flags: TcpFlags, payload: &[u8]| {
        let options: &[u8] = if flags.syn() { &[2, 4, 5, 0xb4, 4, 2, 1, 3, 3, 7] } else { &[] };
        let built = ip().tcp(1, 2).flags(flags).options(options).payload(payload);
        Template { bytes: built.build(), flags, payload: payload.len() as u32 }
    };
    let udp = |payload: &[u8]| Template {
        bytes: ip().udp(1, 2).payload(payload).build(),
        flags: TcpFlags(0),
        payload: payload.len() as u32,
    };
    let push = TcpFlags::PSH | TcpFlags::ACK;
    [
        tcp(TcpFlags::SYN, &[]),
        tcp(TcpFlags::SYN | TcpFlags::ACK, &[]),
        tcp(TcpFlags::ACK, &[]),
        tcp(TcpFlags::FIN | TcpFlags::ACK, &[]),
        tcp(push, HTTP_REQUEST),
        tcp(push, HTTP_RESPONSE),
        tcp(push, &client_hello()),
        tcp(push, &server_hello()),
        tcp(push, &record(0x14, 40)),
        tcp(push, &record(0x17, 150)),
        udp(&dns(false)),
        udp(&dns(true)),
        tcp(push, &[b'x'; 48]),
        tcp(push, &[b'x'; 1330]),
        tcp(push, &[b'x'; 1460]),
        udp(&[b'x'; 22]),
        tcp(push, HTTP_ASK),
        tcp(push, &page()),
        tcp(push, &[0; 60]),
        udp(&[0; 60]),
    ]
}

/// The first segment of a response whose length is that of all its segments.
fn page() -> Vec<u8> {
    const SEGMENT: usize = 1460;
    let head = |length: usize| {
        let fields = "Server: nginx\r\nContent-Type: application/octet-stream\r\n";
        format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: {length}\r\n\r\n").into_bytes()
    };
    let all = PAGE as usize * SEGMENT;
    // The number has five digits with and without the head.
    let mut page = head(all - head(all).len());
    page.resize(SEGMENT, b'x');
    page
}

const HTTP_REQUEST: &[u8] = b"GET /assets/site.css?v=17 HTTP/1.1\r\nHost: www.example.com\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nAccept: */*\r\nAccept-Encoding: gzip\r\n\
    Connection: close\r\n\r\n";

const HTTP_ASK: &[u8] = b"GET /download/part HTTP/1.1\r\nHost: files.example.com\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nAccept: */*\r\n\r\n";

const HTTP_RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: text/css\r\n\
    Content-Length: 212\r\nConnection: close\r\n\r\n\
    body{margin:0;padding:0;font:14px/1.5 sans-serif;color:#222}main{max-width:60em}a{color:#06c}\
    h1{font-size:2rem}code{background:#eee}pre{overflow:auto}table{border-collapse:collapse}\
    @media print{nav{display:none}}";

/// A TLS record of this type and length (RFC 8446 §5.1).
fn record(kind: u8, len: u16) -> Vec<u8> {
    let mut out = vec![kind, 3, 3];
    out.extend(len.to_be_bytes());
    out.extend((0..len).map(|i| i.wrapping_mul(97) as u8));
    out
}

/// RFC 8446 §4.1.2.
fn client_hello() -> Vec<u8> {
    let name = b"www.example.com";
    let mut sni = Vec::new();
    sni.extend((name.len() as u16 + 3).to_be_bytes());
    sni.push(0);
    sni.extend((name.len() as u16).to_be_bytes());
    sni.extend(name);
    let mut share = vec![0, 36, 0, 29, 0, 32];
    share.extend([0x5a; 32]);
    let extensions: [(u16, &[u8]); 7] = [
        (0, &sni),
        (10, &[0, 4, 0, 29, 0, 23]),
        (11, &[1, 0]),
        (13, &[0, 8, 4, 3, 8, 4, 4, 1, 5, 3]),
        (16, &[0, 12, 2, b'h', b'2', 8, b'h', b't', b't', b'p', b'/', b'1', b'.', b'1']),
        (43, &[4, 3, 4, 3, 3]),
        (51, &share),
    ];
    let mut body = vec![3, 3];
    body.extend([0x11; 32]);
    body.push(32);
    body.extend([0x22; 32]);
    body.extend([0, 8, 0x13, 1, 0x13, 2, 0xc0, 0x2b, 0xc0, 0x2f, 1, 0]);
    body.extend(extensions_of(&extensions));
    handshake(1, &body)
}

/// RFC 8446 §4.1.3.
fn server_hello() -> Vec<u8> {
    let mut share = vec![0, 29, 0, 32];
    share.extend([0xa5; 32]);
    let mut body = vec![3, 3];
    body.extend([0x33; 32]);
    body.push(32);
    body.extend([0x22; 32]);
    body.extend([0x13, 1, 0]);
    body.extend(extensions_of(&[(43, &[3, 4]), (51, &share)]));
    let mut out = handshake(2, &body);
    out.extend(record(0x14, 1));
    out.extend(record(0x17, 160));
    out
}

fn extensions_of(extensions: &[(u16, &[u8])]) -> Vec<u8> {
    let mut list = Vec::new();
    for (kind, data) in extensions {
        list.extend(kind.to_be_bytes());
        list.extend((data.len() as u16).to_be_bytes());
        list.extend(*data);
    }
    [&(list.len() as u16).to_be_bytes()[..], &list].concat()
}

fn handshake(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![0x16, 3, 1];
    out.extend((body.len() as u16 + 4).to_be_bytes());
    out.extend([kind, 0]);
    out.extend((body.len() as u16).to_be_bytes());
    out.extend(body);
    out
}

/// A query for an address, or its answer (RFC 1035 §4.1).
fn dns(response: bool) -> Vec<u8> {
    let mut out = vec![0x12, 0x34];
    out.extend(if response { [0x81, 0x80] } else { [0x01, 0x00] });
    out.extend([0, 1, 0, u8::from(response), 0, 0, 0, 0]);
    for label in ["www", "example", "com"] {
        out.push(label.len() as u8);
        out.extend(label.as_bytes());
    }
    out.extend([0, 0, 1, 0, 1]);
    if response {
        out.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 0x2c, 0, 4, 192, 0, 2, 1]);
    }
    out
}
