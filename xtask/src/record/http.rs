//! HTTP/1.1: curl and socat against nginx.

use super::capture::Stamps;
use super::lab::Lab;
use super::{Recipe, Then};
use crate::Result;

pub(super) const RECIPES: &[Recipe] = &[
    Recipe {
        name: "http-keep-alive.pcap",
        holds: "Five requests on one connection: found, found, not modified, not found, and a form that is posted.",
        stamps: Stamps::Micro,
        make: keep_alive,
        then: Then::Keep,
        expected: &[
            ("http.request.method == GET", 4),
            ("http.request.method == POST", 1),
            ("http.response.code == 200", 3),
            ("http.response.code == 304", 1),
            ("http.response.code == 404", 1),
        ],
    },
    Recipe {
        name: "http-keep-alive.pcapng.zst",
        holds: "The exchange of http-keep-alive.pcap once more, as compressed pcapng.",
        stamps: Stamps::Micro,
        make: keep_alive,
        then: Then::PcapNgZstd,
        expected: &[("http.request", 5), ("http.response", 5)],
    },
    Recipe {
        name: "http-pipelining.pcap",
        holds: "Four requests sent at once, the third a HEAD, answered in order on one connection.",
        stamps: Stamps::Micro,
        make: pipelining,
        then: Then::Keep,
        expected: &[("http.request", 1), ("http.response", 1), ("http.request.method == HEAD", 1)],
    },
    Recipe {
        name: "http-chunked.pcap",
        holds: "Chunked bodies on one connection: a page put together by the server, a gzipped one, an upload.",
        stamps: Stamps::Micro,
        make: chunked,
        then: Then::Keep,
        expected: &[
            ("http.response && http.transfer_encoding contains \"chunked\"", 2),
            ("http.request && http.transfer_encoding contains \"chunked\"", 1),
            ("http.content_encoding == \"gzip\"", 1),
        ],
    },
    Recipe {
        name: "http-continue.pcap",
        holds: "An upload that waits for `100 Continue` and is answered before it has ended, then another request on the same connection.",
        stamps: Stamps::Micro,
        make: upload,
        then: Then::Keep,
        expected: &[
            ("frame contains \"Expect: 100-continue\"", 1),
            ("http.response.code == 100", 1),
            ("http.response.code == 200", 2),
        ],
    },
    Recipe {
        name: "http-head.pcap",
        holds: "HEAD, then GET of the same page, then HEAD of one that is missing, on one connection.",
        stamps: Stamps::Micro,
        make: head,
        then: Then::Keep,
        expected: &[
            ("http.request.method == HEAD", 2),
            ("http.request.method == GET", 1),
            ("http.response", 3),
        ],
    },
];

/// The configuration of nginx; `ssi` and `gzip` make it send chunks.
const NGINX: &str = "\
daemon off; master_process off; pid nginx.pid; error_log stderr;
events { }
http {
  access_log off; default_type text/plain; types { text/html html; }
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  server {
    LISTEN
    root www;
    location /form { return 200 \"thank you\\n\"; }
    location /upload { return 200 \"stored\\n\"; }
    location /parts/ { ssi on; }
    location /packed/ { gzip on; gzip_min_length 1; gzip_types text/plain; }
  }
}
";

/// Settings for HTTPS.
const SECURE: &str = "listen 443 ssl http2; ssl_certificate cert.pem; ssl_certificate_key key.pem;";

/// Serves HTTP on port 80, and HTTPS on 443 where `secure`: cert.pem and key.pem are there then.
pub(super) fn serve(lab: &mut Lab, secure: bool) -> Result<()> {
    serve_with(lab, if secure { SECURE } else { "" })
}

/// Serves HTTPS too, with these settings of nginx.
pub(super) fn serve_secure(lab: &mut Lab, settings: &str) -> Result<()> {
    serve_with(lab, &format!("{SECURE} {settings}"))
}

fn serve_with(lab: &mut Lab, settings: &str) -> Result<()> {
    serve_at(lab, &format!("listen 80; listen [::]:80; {settings}"))
}

/// Serves as `listen` says, which has port 80.
pub(super) fn serve_at(lab: &mut Lab, listen: &str) -> Result<()> {
    lab.file("nginx.conf", &NGINX.replace("LISTEN", listen))?;
    lab.file(
        "www/index.html",
        "<!doctype html>\n<title>flows</title>\n<p>It is the way of packets to flow.\n",
    )?;
    lab.file("www/plain.txt", &lines(40))?;
    lab.file("www/packed/list.txt", &lines(4_000))?;
    lab.file("www/long.txt", &lines(2_000))?;
    lab.file("www/parts/one.txt", "one\n")?;
    lab.file("www/parts/two.txt", &lines(30))?;
    lab.file(
        "www/parts/page.html",
        "<pre>\n<!--#include file=\"one.txt\" -->\n<!--#include file=\"two.txt\" -->\n</pre>\n",
    )?;
    lab.server("tcp/80", "nginx -e stderr -p . -c nginx.conf")
}

/// `count` numbered lines, for pages that a person can check by eye.
pub(super) fn lines(count: usize) -> String {
    (1..=count)
        .map(|number| format!("line {number} of {count}, {:08x}\n", number * 2_654_435_761))
        .collect()
}

fn keep_alive(lab: &mut Lab) -> Result<()> {
    serve(lab, false)?;
    lab.client(
        "curl -sS -o /dev/null http://10.77.0.2/ -o /dev/null http://10.77.0.2/plain.txt \
         --next -sS -o /dev/null -z www/index.html http://10.77.0.2/ \
         --next -sS -o /dev/null http://10.77.0.2/missing \
         --next -sS -o /dev/null -d name=flow -d side=initiator http://10.77.0.2/form",
    )
}

fn pipelining(lab: &mut Lab) -> Result<()> {
    serve(lab, false)?;
    lab.client(
        r"printf 'GET / HTTP/1.1\r\nHost: lab.test\r\n\r\nGET /plain.txt HTTP/1.1\r\nHost: lab.test\r\n\r\nHEAD / HTTP/1.1\r\nHost: lab.test\r\n\r\nGET /missing HTTP/1.1\r\nHost: lab.test\r\nConnection: close\r\n\r\n' | socat -t 5 - TCP:10.77.0.2:80 > answers
test $(grep -a -c '^HTTP/1.1 ' answers) = 4",
    )
}

fn chunked(lab: &mut Lab) -> Result<()> {
    serve(lab, false)?;
    lab.client(
        "curl -sS -o /dev/null http://10.77.0.2/parts/page.html \
         --next -sS --compressed -o /dev/null http://10.77.0.2/packed/list.txt \
         --next -sS -o /dev/null -H 'Transfer-Encoding: chunked' -H 'Expect:' -T www/plain.txt http://10.77.0.2/upload",
    )
}

fn upload(lab: &mut Lab) -> Result<()> {
    serve(lab, false)?;
    lab.client(
        "curl -sS -o /dev/null -H 'Expect: 100-continue' --expect100-timeout 10 -T www/long.txt http://10.77.0.2/upload \
         --next -sS -o /dev/null http://10.77.0.2/",
    )
}

fn head(lab: &mut Lab) -> Result<()> {
    serve(lab, false)?;
    lab.client(
        "curl -sS -I http://10.77.0.2/plain.txt --next -sS -o /dev/null http://10.77.0.2/plain.txt \
         --next -sS -I http://10.77.0.2/missing",
    )
}
