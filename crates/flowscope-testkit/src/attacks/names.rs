//! Names with terminal escapes, HTML and spreadsheet formulas.

use flowscope_core::FlowSide::{Initiator, Responder};

use super::talk::{SEGMENT, connection, query, repeated};
use super::{Attack, Fate, tls};

/// Control sequences, markup, formulas, bytes that are no text, and lengths.
#[must_use]
pub fn hostile() -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = [
        &b"\x1b[2J\x1b]0;owned\x07\x1b[31m"[..],
        b"\x9b31m\x90q\x9c",
        "\u{202e}txt.exe\u{2066}\u{200b}\u{feff}".as_bytes(),
        b"</script><script>alert(1)</script>",
        b"\"><img src=x onerror=alert(1)>",
        b"=cmd|' /C calc'!A0",
        b"+1+1",
        b"-2+3",
        b"@SUM(A1)",
        b"\tx",
        b"a,b\";\"c'd",
        b"a\0b\0",
        b"a\xff\xfe\xc0\x80\xed\xa0\x80b",
        b"\\x41\\u0041%41%n%s",
        b"{\"a\":1}\\",
        b"a\x7f\x01\x02\x0b\x0c",
        "\u{2028}\u{2029}\u{85}".as_bytes(),
        b"../../../../etc/passwd",
        b"-",
        b"(empty)",
    ]
    .map(<[u8]>::to_vec)
    .into();
    all.push(vec![b'n'; 60_000]);
    all.push((0..=255).collect());
    all.push(Vec::new());
    all
}

/// What is said, and whether the client says it.
type Turns = Vec<(bool, Vec<u8>)>;

/// All of this module; about `volume` packets each.
pub fn list(volume: usize) -> Vec<Attack> {
    let all = |name, packets| Attack { name, packets, fate: Fate::Tracked };
    let lines = move |port: u16, make: fn(&[u8]) -> Turns| -> super::Packets {
        Box::new(repeated(volume, move |n| {
            let turns = make(&text(n)).into_iter();
            let turns =
                turns.map(|(client, said)| (if client { Initiator } else { Responder }, said));
            connection(n, port, SEGMENT, turns)
        }))
    };
    vec![
        all(
            "hostile names in HTTP",
            lines(80, |name| {
                let request = [
                    b"GET /",
                    name,
                    b" HTTP/1.1\r\nHost: ",
                    name,
                    b"\r\nUser-Agent: ",
                    name,
                    b"\r\n\r\n",
                ];
                let answer = [
                    b"HTTP/1.1 200 ",
                    name,
                    b"\r\nContent-Type: ",
                    name,
                    b"\r\nContent-Length: 0\r\n\r\n",
                ];
                vec![(true, request.concat()), (false, answer.concat())]
            }),
        ),
        all(
            "hostile names in TLS",
            lines(443, |name| {
                vec![(
                    true,
                    tls::records(&tls::hello(&name[..name.len().min(16_000)], &[]), 1 << 14),
                )]
            }),
        ),
        all(
            "hostile names in mail",
            lines(25, |name| {
                let hello =
                    [b"EHLO ", name, b"\r\nMAIL FROM:<", name, b">\r\nRCPT TO:<", name, b">\r\n"];
                let data =
                    [b"DATA\r\nSubject: ", name, b"\r\nFrom: ", name, b"\r\n\r\n.\r\nQUIT\r\n"];
                vec![
                    (false, [b"220 ", name, b"\r\n"].concat()),
                    (true, hello.concat()),
                    (false, b"250 a\r\n250 b\r\n250 c\r\n354 d\r\n250 e\r\n221 f\r\n".to_vec()),
                    (true, data.concat()),
                ]
            }),
        ),
        all(
            "hostile names in FTP",
            lines(21, |name| {
                vec![
                    (false, [b"220 ", name, b"\r\n"].concat()),
                    (true, [b"USER ", name, b"\r\nRETR ", name, b"\r\n"].concat()),
                    (false, [b"331 ", name, b"\r\n550 ", name, b"\r\n"].concat()),
                ]
            }),
        ),
        all(
            "hostile names in SSH",
            lines(22, |name| {
                vec![
                    (false, [b"SSH-2.0-", name, b"\r\n"].concat()),
                    (true, [b"SSH-2.0-", name, b"\r\n"].concat()),
                ]
            }),
        ),
        all(
            "lines without end",
            Box::new(repeated(volume, move |n| {
                let port = [21, 22, 25, 80, 110, 143, 587][n % 7];
                let line = vec![b'A'; (volume * SEGMENT / 7).clamp(SEGMENT, 1 << 18)];
                connection(n, port, SEGMENT, [(Responder, line.clone()), (Initiator, line)])
            })),
        ),
        all(
            "replies without end",
            Box::new(repeated(volume, move |n| {
                let port = [21, 25, 110, 587][n % 4];
                let len = (volume * SEGMENT / 4).clamp(SEGMENT, 1 << 18);
                let lines = b"220-more\r\n".repeat(len / 10);
                connection(
                    n,
                    port,
                    SEGMENT,
                    [(Responder, lines), (Initiator, b"NOOP\r\n".repeat(len / 6))],
                )
            })),
        ),
        all(
            "hostile names in DNS",
            Box::new((0..volume).map(move |n| {
                let name = named(n);
                let labels: Vec<u8> = name[..name.len().min(240)]
                    .chunks(60)
                    .flat_map(|label| [&[label.len() as u8], label].concat())
                    .collect();
                let header = [&[0, n as u8, 1, 0, 0, 1], &[0; 6][..]].concat();
                query(n, 53, &[&header[..], &labels, &[0, 0, 1, 0, 1]].concat())
            })),
        ),
    ]
}

/// Number `n` of [`hostile`], again and again.
fn named(n: usize) -> Vec<u8> {
    let mut all = hostile();
    let at = n % all.len();
    all.swap_remove(at)
}

/// The same without ends of lines.
fn text(n: usize) -> Vec<u8> {
    named(n).into_iter().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect()
}
