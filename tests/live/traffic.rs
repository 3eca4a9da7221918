//! What programs say to each other.

use std::fs;

use crate::world::{DIR, World, far, near};

/// Serves files over HTTP and TLS on the near host.
pub(crate) fn web_server(world: &mut World) {
    let www = format!("{DIR}/www");
    fs::create_dir(&www).expect("a folder");
    fs::write(format!("{www}/index.html"), "hello\n").expect("a file");
    // Lines that do not repeat, so that it stays long when it is compressed.
    let mut number = 1_u64;
    let big: String = (0..12_000)
        .map(|_| {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            format!("{number:032x}\n")
        })
        .collect();
    fs::write(format!("{www}/big.txt"), &big).expect("a file");
    near(&format!(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 \
         -keyout {DIR}/key.pem -out {DIR}/cert.pem -subj /CN=lab.test"
    ));
    let config = format!(
        "user root; pid {DIR}/nginx.pid; worker_processes 1; daemon off;
         events {{ worker_connections 64; }}
         http {{
           access_log off; types {{ text/html html; text/plain txt; }}
           client_body_temp_path {DIR}; proxy_temp_path {DIR}; fastcgi_temp_path {DIR};
           uwsgi_temp_path {DIR}; scgi_temp_path {DIR};
           gzip on; gzip_min_length 1; gzip_types text/plain;
           server {{
             listen 80; listen 443 ssl; server_name lab.test; root {www};
             ssl_certificate {DIR}/cert.pem; ssl_certificate_key {DIR}/key.pem;
             ssl_protocols TLSv1.2 TLSv1.3;
             location /upload {{ proxy_pass http://unix:{DIR}/uploads; }}
           }}
           server {{ listen unix:{DIR}/uploads; return 201; }}
         }}"
    );
    fs::write(format!("{DIR}/nginx.conf"), config).expect("a file");
    let line = format!("nginx -e {DIR}/nginx.err -c {DIR}/nginx.conf");
    world.start("tcp", 80, &line);
}

/// Three requests on one connection, a compressed answer, a request in chunks, and three requests
/// before the first answer.
pub(crate) fn http(server: &str) {
    let to = format!("http://{server}");
    far(&format!("curl -sS -o a -o b -o c {to}/ {to}/big.txt {to}/none"));
    far(&format!("curl -sS --compressed -o d {to}/big.txt; cmp d www/big.txt"));
    far(&format!(
        "head -c 100000 /dev/zero | \
         curl -sS -H 'Transfer-Encoding: chunked' -H Expect: -T - -o e {to}/upload"
    ));
    let get = "GET / HTTP/1.1\\r\\nHost: lab.test\\r\\n";
    let answers = far(&format!(
        "printf '{get}\\r\\n{get}\\r\\n{get}Connection: close\\r\\n\\r\\n' | \
         socat -t 5 - TCP:{server}:80 | grep -c '^HTTP/1.1 200'"
    ));
    assert_eq!(answers.trim(), "3");
}

/// A request over each version of TLS, each to a name of its own.
pub(crate) fn tls() {
    for version in [2, 3] {
        let name = format!("tls1{version}.lab.test");
        far(&format!(
            "curl -sS -k --resolve {name}:443:10.77.0.2 --tlsv1.{version} --tls-max 1.{version} \
             --http1.1 -o f https://{name}/big.txt; cmp f www/big.txt"
        ));
    }
}

/// Answers for what lies below `lab.test`.
pub(crate) fn name_server(world: &mut World) {
    let line = format!(
        "dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts \
         --listen-address=10.77.0.2 --bind-interfaces --user=root --group=root \
         --pid-file={DIR}/dns.pid --address=/lab.test/10.77.0.2 --txt-record=t.lab.test,hello \
         --cache-size=0 --log-facility=-"
    );
    world.start("udp", 53, &line);
}

/// Three questions over UDP, of which the last is refused, and one over TCP.
pub(crate) fn names() {
    let dig = |what: &str| far(&format!("dig +time=5 +tries=1 {what} @10.77.0.2"));
    assert_eq!(dig("+short a.lab.test A"), "10.77.0.2\n");
    assert_eq!(dig("+short t.lab.test TXT"), "\"hello\"\n");
    assert_eq!(dig("+short +tcp b.lab.test A"), "10.77.0.2\n");
    assert!(dig("nx.example AAAA").contains("status: REFUSED"));
}

/// Three echoes.
pub(crate) fn ping(to: &str) {
    far(&format!("ping -q -c 3 -i 0.1 {to}"));
}

/// As much as is allowed for one second, in pieces that the kernel leaves whole.
pub(crate) fn bulk(world: &mut World) -> impl FnOnce() + Send + use<> {
    world.start("tcp", 5201, "iperf3 --server --one-off --bind 10.77.0.2");
    || {
        let said = far("iperf3 --client 10.77.0.2 --time 1 --bitrate 100M --format m");
        assert!(said.contains("iperf Done."), "{said}");
    }
}
