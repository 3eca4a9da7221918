//! Messages of the protocols as bytes, with no more in them than tests ask for.

/// A GET request for `path` of host `h`.
#[must_use]
pub fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n").into_bytes()
}

/// A POST request with a body of known length.
#[must_use]
pub fn post(path: &str, body: &str) -> Vec<u8> {
    let len = body.len();
    format!("POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: {len}\r\n\r\n{body}").into_bytes()
}

/// A response with a body of known length.
#[must_use]
pub fn response(status: u16, body: &str) -> Vec<u8> {
    let len = body.len();
    format!("HTTP/1.1 {status} X\r\nContent-Length: {len}\r\n\r\n{body}").into_bytes()
}

/// A response whose body is sent in chunks of `size` bytes.
#[must_use]
pub fn chunked(status: u16, body: &str, size: usize) -> Vec<u8> {
    let mut all = format!("HTTP/1.1 {status} X\r\nTransfer-Encoding: chunked\r\n\r\n").into_bytes();
    for chunk in body.as_bytes().chunks(size) {
        all.extend(format!("{:x}\r\n", chunk.len()).bytes());
        all.extend_from_slice(chunk);
        all.extend_from_slice(b"\r\n");
    }
    all.extend_from_slice(b"0\r\n\r\n");
    all
}

/// A DNS query for the addresses of `name`.
#[must_use]
pub fn query(id: u16, name: &str) -> Vec<u8> {
    [&id.to_be_bytes()[..], &[1, 0, 0, 1, 0, 0, 0, 0, 0, 0], &question(name)].concat()
}

/// The response to it: one address.
#[must_use]
pub fn answer(id: u16, name: &str) -> Vec<u8> {
    let record = [0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 192, 0, 2, 7];
    let header = [0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0];
    [&id.to_be_bytes()[..], &header, &question(name), &record].concat()
}

fn question(name: &str) -> Vec<u8> {
    let labels = name.split('.').flat_map(|label| vector8(label.as_bytes()));
    labels.chain([0, 0, 1, 0, 1]).collect()
}

/// A DNS message as it stands in a stream.
#[must_use]
pub fn framed(message: &[u8]) -> Vec<u8> {
    vector16(message)
}

/// A record with the ClientHello of a TLS 1.3 client that wants `name`, about as long as one with
/// an extension of `padding` bytes is.
#[must_use]
pub fn client_hello(name: &str, padding: usize) -> Vec<u8> {
    let server_name = vector16(&[&[0][..], &vector16(name.as_bytes())].concat());
    let extensions = [
        extension(0, &server_name),
        extension(10, &[0, 4, 0, 29, 0, 23]),
        extension(43, &[2, 3, 4]),
        extension(13, &[0, 2, 4, 3]),
        extension(21, &vec![0; padding]),
    ]
    .concat();
    let ciphers = [0x13, 0x01, 0x13, 0x02, 0xc0, 0x2f];
    let body = [&hello_start()[..], &vector16(&ciphers), &[1, 0], &vector16(&extensions)].concat();
    record(22, &handshake(1, &body))
}

/// A record with the ServerHello that chooses TLS 1.3, and what follows it.
#[must_use]
pub fn server_hello() -> Vec<u8> {
    let chosen = [&[0x13, 0x01, 0][..], &vector16(&extension(43, &[3, 4]))].concat();
    let hello = handshake(2, &[hello_start(), chosen].concat());
    [record(22, &hello), record(20, &[1]), record(23, &[0x5a; 200])].concat()
}

/// What a client sends once it is encrypted.
#[must_use]
pub fn client_finished() -> Vec<u8> {
    [record(20, &[1]), record(23, &[0xa5; 53])].concat()
}

/// A TLS record.
#[must_use]
pub fn record(content: u8, body: &[u8]) -> Vec<u8> {
    [&[content, 3, 3][..], &vector16(body)].concat()
}

fn hello_start() -> Vec<u8> {
    [&[3, 3][..], &[7; 32], &vector8(&[])].concat()
}

fn extension(kind: u16, content: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &vector16(content)].concat()
}

fn handshake(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &(body.len() as u32).to_be_bytes()[1..], body].concat()
}

fn vector8(bytes: &[u8]) -> Vec<u8> {
    [&[bytes.len() as u8][..], bytes].concat()
}

fn vector16(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat()
}
