//! HTTP/2 and WebSocket: nghttp2, curl and websockets for Python.

use super::capture::Stamps;
use super::lab::Lab;
use super::{Recipe, Then, http};
use crate::Result;

pub(super) const RECIPES: &[Recipe] = &[
    Recipe {
        name: "http2.pcap",
        holds: "HTTP/2 with prior knowledge: three pages on one connection, one of them missing, then a form that is posted.",
        stamps: Stamps::Micro,
        make: http2,
        then: Then::Keep,
        expected: &[
            ("http2.headers.path == \"/missing\"", 1),
            ("http2.headers.status == 404", 1),
            ("http2.headers.method == \"POST\"", 1),
        ],
    },
    Recipe {
        name: "http2-upgrade.pcap",
        holds: "HTTP/1.1 that is upgraded to HTTP/2 (h2c), through a proxy: a page, and one that is missing.",
        stamps: Stamps::Micro,
        make: upgrade,
        then: Then::Keep,
        expected: &[("http.upgrade == \"h2c\"", 2), ("http2.headers.status == 404", 1)],
    },
    Recipe {
        name: "websocket.pcap",
        holds: "WebSocket, without compression and with it: text, bytes, a ping, fragments both ways, a close with a reason.",
        stamps: Stamps::Micro,
        make: websocket,
        then: Then::Keep,
        expected: &[
            ("http.upgrade == \"websocket\"", 4),
            ("websocket.opcode == 9", 2),
            ("websocket.payload.close.status_code == 1001", 4),
        ],
    },
];

fn http2(lab: &mut Lab) -> Result<()> {
    http::serve_at(lab, "listen 80 http2;")?;
    lab.file("form.txt", "name=flow&side=initiator")?;
    let url = "http://10.77.0.2";
    lab.client(&format!("nghttp -n {url}/ {url}/long.txt {url}/missing"))?;
    lab.client(&format!("nghttp -n -d form.txt {url}/form"))
}

fn upgrade(lab: &mut Lab) -> Result<()> {
    http::serve(lab, false)?;
    lab.server(
        "tcp/8080",
        "nghttpx --single-process --conf=/dev/null -f'10.77.0.2,8080;no-tls' -b127.0.0.1,80",
    )?;
    let url = "http://10.77.0.2:8080";
    lab.client(&format!("curl -sS --http2 -o /dev/null {url}/ -o /dev/null {url}/missing"))
}

/// Sends back what it gets, and some of it otherwise.
const SERVER: &str = "\
import asyncio, websockets

async def talk(peer):
    async for message in peer:
        if message == 'close':
            return await peer.close(1001, 'going away')
        if message == 'ping':
            await peer.ping(b'are you there')
        await peer.send(['one ', 'two ', 'three'] if message == 'parts' else message)

async def main():
    for port, compression in (80, None), (81, 'deflate'):
        await websockets.serve(talk, '10.77.0.2', port, compression=compression, ping_interval=None)
    await asyncio.Future()

asyncio.run(main())
";

const CLIENT: &str = "\
import asyncio, websockets

async def talk(port, compression):
    url = f'ws://10.77.0.2:{port}/talk'
    async with websockets.connect(url, compression=compression, ping_interval=None) as peer:
        for message in 'hello ' * 20, bytes(300), 'ping', 'parts', ['a', 'b', 'c']:
            await peer.send(message)
            await peer.recv()
        await peer.send('close')
        await peer.wait_closed()

for port, compression in (80, None), (81, 'deflate'):
    asyncio.run(talk(port, compression))
";

fn websocket(lab: &mut Lab) -> Result<()> {
    lab.file("server.py", SERVER)?;
    lab.file("client.py", CLIENT)?;
    lab.server("tcp/80", "/usr/bin/python3 server.py")?;
    lab.client("/usr/bin/python3 client.py")
}
