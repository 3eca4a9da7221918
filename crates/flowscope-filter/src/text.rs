use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::expr::{Direction, Expr};
use crate::net::Net;

mod words;

use words::{Word, words};

/// Reads the text form, which is described at the [crate](crate#the-text-form).
impl FromStr for Expr {
    type Err = ParseExprError;

    fn from_str(text: &str) -> Result<Self, ParseExprError> {
        let mut parser = Parser { words: words(text), at: 0, end: text.len(), depth: 0, terms: 0 };
        let expr = parser.expr(None, false)?;
        match parser.next() {
            None if expr.is_too_deep() => Err(parser.wrong(None, "less nesting")),
            None => Ok(expr),
            Some(word) => Err(parser.beyond(Some(word), "`and` or `or`")),
        }
    }
}

/// Error parsing an [`Expr`]: the unexpected word and its position.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ParseExprError {
    at: usize,
    word: Option<String>,
    expected: &'static str,
    beyond: bool,
}

impl ParseExprError {
    /// Position of the word in the text, in bytes; the length of the text if it ended too early.
    #[must_use]
    pub fn at(&self) -> usize {
        self.at
    }

    /// The unexpected word, cut to 40 characters; empty if the text ended too early.
    #[must_use]
    pub fn word(&self) -> Option<&str> {
        self.word.as_deref()
    }

    /// Whether libpcap may accept the text: it supports all tcpdump expressions.
    #[must_use]
    pub fn is_beyond(&self) -> bool {
        self.beyond
    }
}

impl fmt::Display for ParseExprError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, word, expected, beyond } = self;
        match word {
            Some(word) => write!(f, "expected {expected}, not `{word}` at byte {at}")?,
            None => write!(f, "expected {expected} at the end")?,
        }
        if *beyond {
            f.write_str("; a build with libpcap takes all of tcpdump's expressions")?;
        }
        Ok(())
    }
}

impl std::error::Error for ParseExprError {}

/// More than a program has room for.
const MOST_TERMS: usize = 4096;
const PRIMITIVE: &str = "a protocol, or one of `host`, `net`, `port`, `vlan`, `not`, `(`";
const ADDRESS: &str = "an IP address (a network is a `net`)";
const NETWORK: &str = "a network such as 10.0.0.0/8";
const PORT: &str = "a port number";
const NUMBER: &str = "a number below 256";

struct Parser<'a> {
    words: Vec<Word<'a>>,
    at: usize,
    /// Of the text, in bytes.
    end: usize,
    /// Parentheses that are open.
    depth: usize,
    terms: usize,
}

/// The words before an address or number, which the next one may leave out.
#[derive(Clone, Copy)]
struct Qualifiers<'a> {
    /// The word that says which protocol, and what it means.
    protocol: Option<(Word<'a>, Protocol)>,
    ends: Ends,
    kind: Kind,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Protocol {
    Ip,
    Ip6,
    Arp,
    Tcp,
    Udp,
    Sctp,
}

#[derive(Clone, Copy)]
enum Ends {
    One(Direction),
    /// `src and dst`.
    Both,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Kind {
    Host,
    Net,
    Port,
    Ports,
    Protocol,
}

type Parsed<T> = Result<T, ParseExprError>;

impl<'a> Parser<'a> {
    /// Terms with `and` and `or` between them. `carried` are the words that an address or number
    /// may leave out; `only` says that they are those of a group, which holds nothing else.
    fn expr(&mut self, carried: Option<Qualifiers<'a>>, only: bool) -> Parsed<Expr> {
        let (mut left, mut carried) = self.term(carried, only)?;
        loop {
            let and = match self.peek(0) {
                Some("and" | "&&") => true,
                Some("or" | "||") => false,
                _ => return Ok(left),
            };
            self.next();
            let right;
            (right, carried) = self.term(carried, only)?;
            left = if and { left & right } else { left | right };
        }
    }

    /// A term, perhaps negated, and what the next one may leave out.
    fn term(
        &mut self,
        carried: Option<Qualifiers<'a>>,
        only: bool,
    ) -> Parsed<(Expr, Option<Qualifiers<'a>>)> {
        let mut negated = false;
        while let Some("not" | "!") = self.peek(0) {
            self.next();
            negated = !negated;
        }
        self.terms += 1;
        if self.terms > MOST_TERMS {
            let word = self.next();
            return Err(self.wrong(word, "at most 4096 terms"));
        }
        let (expr, carried) = match self.peek(0) {
            Some("(") => (self.group(carried, only)?, carried.filter(|_| only)),
            Some(word) if is_value(word) => match carried {
                Some(qualifiers) => (self.value(qualifiers)?, Some(qualifiers)),
                None => {
                    let word = self.next();
                    return Err(self.beyond(word, PRIMITIVE));
                }
            },
            _ if only => {
                let word = self.next();
                return Err(self.beyond(word, "an address or a number"));
            }
            _ => self.primitive()?,
        };
        Ok((if negated { !expr } else { expr }, carried))
    }

    fn group(&mut self, carried: Option<Qualifiers<'a>>, only: bool) -> Parsed<Expr> {
        let open = self.next();
        self.depth += 1;
        if self.depth > Expr::MAX_DEPTH {
            return Err(self.wrong(open, "less nesting"));
        }
        let expr = self.expr(carried, only)?;
        self.depth -= 1;
        match self.next() {
            Some(Word { text: ")", .. }) => Ok(expr),
            Some(word) => Err(self.beyond(Some(word), "`and`, `or` or `)`")),
            None => Err(self.wrong(None, "`)`")),
        }
    }

    fn primitive(&mut self) -> Parsed<(Expr, Option<Qualifiers<'a>>)> {
        let word = self.next();
        let alone = |expr: Expr| Ok((expr, None));
        let protocol = match word.map_or("", |word| word.text) {
            "icmp" => return alone(Expr::icmp()),
            "icmp6" => return alone(Expr::icmp6()),
            "vlan" => return alone(self.vlan()?),
            "ether" => return alone(self.ether()?),
            "ip" => Protocol::Ip,
            "ip6" => Protocol::Ip6,
            "arp" => Protocol::Arp,
            "tcp" => Protocol::Tcp,
            "udp" => Protocol::Udp,
            "sctp" => Protocol::Sctp,
            "src" | "dst" | "host" | "net" | "port" | "portrange" | "proto" => {
                self.at -= 1;
                return self.qualified(None);
            }
            _ if word.is_none() => return Err(self.wrong(None, PRIMITIVE)),
            _ => return Err(self.beyond(word, PRIMITIVE)),
        };
        match self.peek(0) {
            Some("src" | "dst" | "host" | "net" | "port" | "portrange" | "proto") => {
                self.qualified(word.map(|word| (word, protocol)))
            }
            _ => alone(protocol.expr()),
        }
    }

    /// `[src|dst|src or dst|src and dst] [host|net|port|portrange|proto] VALUE`
    fn qualified(
        &mut self,
        protocol: Option<(Word<'a>, Protocol)>,
    ) -> Parsed<(Expr, Option<Qualifiers<'a>>)> {
        let directed = matches!(self.peek(0), Some("src" | "dst"));
        let ends = self.ends();
        let word = self.next();
        let kind = match word.map_or("", |word| word.text) {
            "host" => Kind::Host,
            "net" => Kind::Net,
            "port" => Kind::Port,
            "portrange" => Kind::Ports,
            "proto" if !directed => Kind::Protocol,
            text if text == "(" || is_value(text) => {
                self.at -= 1;
                Kind::Host
            }
            _ => return Err(self.beyond(word, "`host`, `net`, `port`, `portrange` or an address")),
        };
        // Which protocols have what.
        let suits = match (protocol.map(|(_, protocol)| protocol), kind) {
            (None, _) => true,
            (Some(Protocol::Ip | Protocol::Ip6), Kind::Protocol) => true,
            (Some(Protocol::Ip | Protocol::Ip6 | Protocol::Arp), kind) => {
                matches!(kind, Kind::Host | Kind::Net)
            }
            (Some(_), kind) => matches!(kind, Kind::Port | Kind::Ports),
        };
        if !suits {
            return Err(self.beyond(word, "what this protocol has"));
        }
        let qualifiers = Qualifiers { protocol, ends, kind };
        let expr = match self.peek(0) {
            Some("(") => self.group(Some(qualifiers), true)?,
            _ => self.value(qualifiers)?,
        };
        Ok((expr, Some(qualifiers)))
    }

    fn ends(&mut self) -> Ends {
        let one = match self.peek(0) {
            Some("src") => Direction::Src,
            Some("dst") => Direction::Dst,
            _ => return Ends::One(Direction::Either),
        };
        let ends = match (self.peek(1), self.peek(2)) {
            (Some("or" | "||"), Some("src" | "dst")) if self.peek(2) != self.peek(0) => {
                Ends::One(Direction::Either)
            }
            (Some("and" | "&&"), Some("src" | "dst")) if self.peek(2) != self.peek(0) => Ends::Both,
            _ => {
                self.next();
                return Ends::One(one);
            }
        };
        self.at += 3;
        ends
    }

    /// An address, a network, a port, a range, a number.
    fn value(&mut self, qualifiers: Qualifiers<'a>) -> Parsed<Expr> {
        let word = self.next();
        let text = word.map_or("", |word| word.text);
        let make: Box<dyn Fn(Direction) -> Expr> = match qualifiers.kind {
            Kind::Protocol => {
                let number = self.number::<u8>(word, NUMBER)?;
                Box::new(move |_| Expr::protocol(number))
            }
            Kind::Port => {
                let port = self.number::<u16>(word, PORT)?;
                Box::new(move |end| Expr::port(end, port))
            }
            Kind::Ports => {
                let range = text.split_once('-').and_then(|(first, last)| {
                    Some(first.parse::<u16>().ok()?..=last.parse::<u16>().ok()?)
                });
                let Some(range) = range else {
                    return Err(self.beyond(word, "a range of ports such as 1-1023"));
                };
                Box::new(move |end| Expr::ports(end, range.clone()))
            }
            Kind::Net => self.network(word, qualifiers)?,
            Kind::Host => {
                let Ok(addr) = text.parse::<IpAddr>() else {
                    return Err(self.beyond(word, ADDRESS));
                };
                self.check_family(word, addr, qualifiers)?;
                Box::new(move |end| Expr::host(end, addr))
            }
        };
        let expr = match qualifiers.ends {
            Ends::One(direction) => make(direction),
            Ends::Both => make(Direction::Src) & make(Direction::Dst),
        };
        Ok(match qualifiers.protocol {
            Some((_, protocol)) => protocol.expr() & expr,
            None => expr,
        })
    }

    fn network(
        &mut self,
        word: Option<Word<'a>>,
        qualifiers: Qualifiers<'a>,
    ) -> Parsed<Box<dyn Fn(Direction) -> Expr>> {
        let text = word.map_or("", |word| word.text);
        let Some((addr, len)) = text.split_once('/') else {
            return Err(self.beyond(word, NETWORK));
        };
        let Ok(addr) = addr.parse::<IpAddr>() else {
            return Err(self.beyond(word, NETWORK));
        };
        let Some(net) = len.parse().ok().and_then(|len| Net::new(addr, len)) else {
            return Err(self.wrong(word, "a prefix no longer than an address"));
        };
        if net.addr() != addr {
            return Err(self.wrong(word, "an address that is 0 behind its prefix"));
        }
        self.check_family(word, addr, qualifiers)?;
        Ok(Box::new(move |end| Expr::net(end, net)))
    }

    fn check_family(
        &self,
        word: Option<Word<'a>>,
        addr: IpAddr,
        qualifiers: Qualifiers<'a>,
    ) -> Parsed<()> {
        match qualifiers.protocol {
            Some((_, Protocol::Ip6)) if addr.is_ipv4() => Err(self.wrong(word, "an IPv6 address")),
            Some((_, Protocol::Ip | Protocol::Arp)) if addr.is_ipv6() => {
                Err(self.wrong(word, "an IPv4 address"))
            }
            _ => Ok(()),
        }
    }

    fn vlan(&mut self) -> Parsed<Expr> {
        if !self.peek(0).is_some_and(is_value) {
            return Ok(Expr::vlan(None));
        }
        let word = self.next();
        match word.and_then(|word| word.text.parse().ok()) {
            Some(id @ 0..=0x0fff) => Ok(Expr::vlan(Some(id))),
            _ => Err(self.wrong(word, "a VLAN id below 4096")),
        }
    }

    /// Behind `ether`: `host MAC`, `src [host] MAC`, `dst [host] MAC`.
    fn ether(&mut self) -> Parsed<Expr> {
        let word = self.next();
        let direction = match word.map_or("", |word| word.text) {
            "host" => Direction::Either,
            "src" => Direction::Src,
            "dst" => Direction::Dst,
            _ => return Err(self.beyond(word, "`host`, `src` or `dst`")),
        };
        if direction != Direction::Either && self.peek(0) == Some("host") {
            self.next();
        }
        let word = self.next();
        match word.and_then(|word| mac(word.text)) {
            Some(addr) => Ok(Expr::mac(direction, addr)),
            None => Err(self.beyond(word, "an address such as 02:00:00:00:00:01")),
        }
    }

    fn number<N: FromStr>(&self, word: Option<Word<'a>>, expected: &'static str) -> Parsed<N> {
        let text = word.map_or("", |word| word.text);
        match text.parse() {
            // Of `+5`, tcpdump knows nothing.
            Ok(number) if text.starts_with(|c: char| c.is_ascii_digit()) => Ok(number),
            _ if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) => {
                Err(self.wrong(word, expected))
            }
            _ => Err(self.beyond(word, expected)),
        }
    }

    fn next(&mut self) -> Option<Word<'a>> {
        let word = self.words.get(self.at).copied();
        self.at += usize::from(word.is_some());
        word
    }

    fn peek(&self, ahead: usize) -> Option<&'a str> {
        self.words.get(self.at + ahead).map(|word| word.text)
    }

    /// What libpcap does not take either.
    fn wrong(&self, word: Option<Word<'a>>, expected: &'static str) -> ParseExprError {
        ParseExprError {
            at: word.map_or(self.end, |word| word.at),
            word: word.map(|word| word.text.chars().take(40).collect()),
            expected,
            beyond: false,
        }
    }

    /// What libpcap may take. Nothing completes a text that ended.
    fn beyond(&self, word: Option<Word<'a>>, expected: &'static str) -> ParseExprError {
        ParseExprError { beyond: word.is_some(), ..self.wrong(word, expected) }
    }
}

impl Protocol {
    fn expr(self) -> Expr {
        match self {
            Protocol::Ip => Expr::ip(),
            Protocol::Ip6 => Expr::ip6(),
            Protocol::Arp => Expr::arp(),
            Protocol::Tcp => Expr::tcp(),
            Protocol::Udp => Expr::udp(),
            Protocol::Sctp => Expr::sctp(),
        }
    }
}

/// An address or a number rather than a word of the language, by its looks.
fn is_value(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit()) || text.contains(':')
}

fn mac(text: &str) -> Option<[u8; 6]> {
    let mut addr = [0; 6];
    let mut parts = text.split(':');
    for byte in &mut addr {
        let part = parts.next().filter(|part| matches!(part.len(), 1 | 2))?;
        *byte = u8::from_str_radix(part, 16).ok()?;
    }
    parts.next().is_none().then_some(addr)
}
