//! Servers that ask who a client is, and prove who they are.

use std::fs;
use std::path::{Path, PathBuf};

use async_nats::ConnectOptions;
use async_nats::jetstream;
use data_encoding::BASE64URL_NOPAD;
use nkeys::KeyPair;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer};

use crate::process::{Process, captures, collector, feed, sense, sensor, wait_for};
use crate::server::{Servers, is_there, with_client_of};
use crate::table::{assert_equal, expected, read};
use crate::traffic;

const SECRET: &str = "hidden p@ss/word";

/// An authority, and what it signs, in files of a folder.
struct Authority<'a> {
    folder: &'a Path,
    name: &'static str,
    issuer: Issuer<'static, rcgen::KeyPair>,
}

impl<'a> Authority<'a> {
    fn new(folder: &'a Path, name: &'static str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        fs::write(folder.join(format!("{name}.pem")), certificate.pem()).unwrap();
        Authority { folder, name, issuer: Issuer::new(params, key) }
    }

    /// The file with its certificate.
    fn file(&self) -> PathBuf {
        self.folder.join(format!("{}.pem", self.name))
    }

    /// Signs a certificate of 127.0.0.1. Returns its file and that of its key.
    fn sign(&self, name: &str) -> [PathBuf; 2] {
        let params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let file = |kind: &str, text: String| {
            let path = self.folder.join(format!("{}-{name}-{kind}.pem", self.name));
            fs::write(&path, text).unwrap();
            path
        };
        [file("cert", certificate.pem()), file("key", key.serialize_pem())]
    }
}

/// Part of a server's configuration.
fn tls([certificate, key]: &[PathBuf; 2], more: &str) -> String {
    format!("tls {{ cert_file: {certificate:?}, key_file: {key:?}, {more} }}\n")
}

fn option(name: &str, path: &Path) -> String {
    format!("--nats-{name}={}", path.display())
}

fn secret(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    path
}

/// A sensor and a collector with these options do what they do without.
fn check_accepted(url: &str, options: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let (spool, to) = (folder.path().join("spool"), folder.path().join("table"));
    let (code, said) = sense(url, &spool, options, &captures()).end();
    assert_eq!(code, Some(0), "{options:?}: {said}");
    assert!(!said.contains("hidden"), "{said}");
    let (code, said) = collector(url, &to, options).end();
    assert_eq!(code, Some(0), "{options:?}: {said}");
    assert!(!said.contains("hidden"), "{said}");
    assert_equal(&read(&to), &expected(&captures()));
}

/// Both end at once, with this in the message, and with nothing in the spool.
fn check_refused(url: &str, options: &[&str], codes: [i32; 2], part: &str) {
    let folder = tempfile::tempdir().unwrap();
    let (spool, to) = (folder.path().join("spool"), folder.path().join("table"));
    let both = [sense(url, &spool, options, &captures()), collector(url, &to, options)];
    for (process, expected) in both.into_iter().zip(codes) {
        let (code, said) = process.end();
        assert_eq!(code, Some(expected), "{options:?}: {said}");
        assert!(said.contains(part) && !said.contains("hidden"), "{options:?}: {said}");
    }
}

/// Exit codes of a sensor and a collector that a server refuses.
const REFUSED: [i32; 2] = [5, 1];

#[test]
fn a_server_proves_who_it_is() {
    if !is_there("a_server_proves_who_it_is") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let [own, other] = ["own", "other"].map(|name| Authority::new(folder.path(), name));
    let servers = Servers::configured(&tls(&own.sign("server"), ""));
    let (url, ca) = (servers.url(), option("tlsca", &own.file()));
    check_accepted(&url, &[&ca]);
    check_accepted(&url.replace("nats://", "tls://"), &[&ca]);
    let unknown = "TLS: invalid peer certificate: UnknownIssuer";
    check_refused(&url, &[&option("tlsca", &other.file())], REFUSED, unknown);
    check_refused(&url, &[], REFUSED, unknown);
    let named = url.replace("127.0.0.1", "localhost");
    check_refused(&named, &[&ca], REFUSED, "TLS: invalid peer certificate: certificate not valid");
    // One that has no TLS is not spoken to without it.
    let plain = Servers::start(1);
    check_refused(&plain.url(), &[&ca], REFUSED, "TLS: ");
    check_refused(&plain.url().replace("nats://", "tls://"), &[], REFUSED, "TLS: ");
}

#[test]
fn a_client_proves_who_it_is() {
    if !is_there("a_client_proves_who_it_is") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let [own, other] = ["own", "other"].map(|name| Authority::new(folder.path(), name));
    let verify = format!("ca_file: {:?}, verify: true", own.file());
    let servers = Servers::configured(&tls(&own.sign("server"), &verify));
    let (url, ca) = (servers.url(), option("tlsca", &own.file()));
    let client = |[certificate, key]: [PathBuf; 2]| {
        [option("tlscert", &certificate), option("tlskey", &key)]
    };
    let [certificate, key] = &client(own.sign("client"));
    check_accepted(&url, &[&ca, certificate, key]);
    check_refused(&url, &[&ca], REFUSED, "TLS: received fatal alert");
    let [certificate, key] = &client(other.sign("client"));
    check_refused(&url, &[&ca, certificate, key], REFUSED, "TLS: received fatal alert");
}

#[test]
fn a_user_has_a_password() {
    if !is_there("a_user_has_a_password") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let own = Authority::new(folder.path(), "own");
    let users = format!("authorization {{ user: sensor, password: {SECRET:?} }}\n");
    let servers = Servers::configured(&(tls(&own.sign("server"), "") + &users));
    let (url, ca) = (servers.url(), option("tlsca", &own.file()));
    let password = |name, text: &str| option("password-file", &secret(folder.path(), name, text));
    let right = password("right", &format!("{SECRET}\n"));
    let wrong = password("wrong", "hidden\n");
    check_accepted(&url, &[&ca, "--nats-user=sensor", &right]);
    let violation = "authorization violation";
    check_refused(&url, &[&ca, "--nats-user=sensor", &wrong], REFUSED, violation);
    check_refused(&url, &[&ca, "--nats-user=other", &right], REFUSED, violation);
    check_refused(&url, &[&ca], REFUSED, violation);
    // As a part of the address, with escapes.
    let with = |user: &str| url.replace("://", &format!("://{user}@"));
    check_accepted(&with("sensor:hidden%20p%40ss%2Fword"), &[&ca]);
    check_refused(&with("sensor:hidden"), &[&ca], REFUSED, violation);
    let both = [ca.as_str(), "--nats-user=sensor", &right];
    check_refused(&with("sensor:hidden"), &both, [1, 1], "more than one user");
}

#[test]
fn a_token_is_enough() {
    if !is_there("a_token_is_enough") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let servers = Servers::configured("authorization { token: \"hidden-7\" }\n");
    let token = |name, text: &str| option("token-file", &secret(folder.path(), name, text));
    let url = servers.url();
    check_accepted(&url, &[&token("right", "hidden-7\n")]);
    check_accepted(&url.replace("://", "://hidden-7@"), &[]);
    check_refused(&url, &[&token("wrong", "hidden-8")], REFUSED, "authorization violation");
}

/// The token of the claims that `by` signs.
fn jwt(by: &KeyPair, subject: &KeyPair, claims: &str) -> String {
    let payload = format!(
        r#"{{"jti":"A","iat":1767323045,"iss":"{}","name":"test","sub":"{}","nats":{{{claims},"version":2}}}}"#,
        by.public_key(),
        subject.public_key(),
    );
    let [head, payload] = [r#"{"typ":"JWT","alg":"ed25519-nkey"}"#, &payload]
        .map(|text| BASE64URL_NOPAD.encode(text.as_bytes()));
    let signed = format!("{head}.{payload}");
    let signature = BASE64URL_NOPAD.encode(&by.sign(signed.as_bytes()).unwrap());
    format!("{signed}.{signature}")
}

#[test]
fn credentials_are_those_of_an_account() {
    if !is_there("credentials_are_those_of_an_account") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let operator = KeyPair::new_operator();
    let [system, account, other] = [(); 3].map(|()| KeyPair::new_account());
    let limits = "\"limits\":{\"subs\":-1,\"data\":-1,\"payload\":-1,\"imports\":-1,\"exports\":-1,\
        \"wildcards\":true,\"conn\":-1,\"leaf\":-1";
    let storage = ",\"mem_storage\":-1,\"disk_storage\":-1,\"streams\":-1,\"consumer\":-1},\"type\":\"account\"";
    let config = format!(
        "operator: {}\nsystem_account: {system}\nresolver: MEMORY\nresolver_preload: {{ {system}: {}, {account}: {} }}\n",
        jwt(&operator, &operator, "\"type\":\"operator\""),
        jwt(&operator, &system, &format!("{limits}}},\"type\":\"account\"")),
        jwt(&operator, &account, &format!("{limits}{storage}")),
        system = system.public_key(),
        account = account.public_key(),
    );
    let servers = Servers::configured(&config);
    let url = servers.url();
    let credentials = |name: &str, account: &KeyPair, seed: Option<&KeyPair>| {
        let user = KeyPair::new_user();
        let claims =
            "\"subs\":-1,\"data\":-1,\"payload\":-1,\"pub\":{},\"sub\":{},\"type\":\"user\"";
        let text = format!(
            "-----BEGIN NATS USER JWT-----\n{}\n------END NATS USER JWT------\n\n\
            -----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
            jwt(account, &user, claims),
            seed.unwrap_or(&user).seed().unwrap(),
        );
        option("creds", &secret(folder.path(), name, &text))
    };
    let violation = "authorization violation";
    check_accepted(&url, &[&credentials("own", &account, None)]);
    check_refused(&url, &[&credentials("other", &other, None)], REFUSED, violation);
    let seed = KeyPair::new_user();
    check_refused(&url, &[&credentials("seed", &account, Some(&seed))], REFUSED, violation);
    check_refused(&url, &[], REFUSED, violation);
}

/// What `docs/COLLECTORS.md` has in a block of code that begins so.
fn documented(start: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/COLLECTORS.md");
    let text = fs::read_to_string(path).unwrap();
    let block = text.split("```").find(|block| block.contains(&format!("\n{start}")));
    block.unwrap().split_once('\n').unwrap().1.to_owned()
}

#[test]
fn the_documented_files_do_what_they_say() {
    if !is_there("the_documented_files_do_what_they_say") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let own = Authority::new(folder.path(), "ca");
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    let [certificate, key] = own.sign("server");
    let config = documented("jetstream {")
        // The tests say it on the command line.
        .replace("jetstream { store_dir: /var/lib/nats }", "")
        .replace("/etc/nats/server.pem", &path(&certificate))
        .replace("/etc/nats/server.key", &path(&key))
        .replace("/etc/nats/ca.pem", &path(&own.file()))
        .replace("\"...\"", &format!("{SECRET:?}"));
    let servers = Servers::configured(&config);
    let [certificate, key] = own.sign("client");
    let password = option("password-file", &secret(folder.path(), "password", SECRET));
    let sensor = documented("interface =")
        .replace("interface = \"eth0\"\n", "")
        .replace("tls://broker.example:4222", &servers.url().replace("nats://", "tls://"))
        .replace("/etc/flowscope/ca.pem", &path(&own.file()))
        .replace("/var/spool/flowscope", &path(&file("spool")))
        .replace("nats-creds = \"/etc/flowscope/sensor.creds\"\n", "nats-user = \"sensor\"\n");
    fs::write(file("sensor.toml"), sensor).unwrap();
    let both =
        [option("tlsca", &own.file()), option("tlscert", &certificate), option("tlskey", &key)];
    let mut args =
        vec!["sessions".to_owned(), format!("--config={}", file("sensor.toml").display())];
    args.extend(both[1..].iter().cloned().chain([password.clone()]));
    args.extend(captures().iter().map(|capture| path(capture)));
    let (code, said) = Process::start(args).end();
    assert_eq!(code, Some(0), "{said}");
    let user = ["--nats-user=collector".to_owned(), password];
    let options: Vec<_> = both.iter().chain(&user).map(String::as_str).collect();
    let (code, said) = collector(&servers.url(), &file("table"), &options).end();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("rejected: 0") && !said.contains("violation"), "{said}");
    assert_equal(&read(&file("table")), &expected(&captures()));
}

/// A refusal ends the start alone: later, batches wait in the spool.
#[test]
fn a_server_that_refuses_later_is_waited_for() {
    if !is_there("a_server_that_refuses_later_is_waited_for") {
        return;
    }
    let config =
        |password: &str| format!("authorization {{ user: sensor, password: {password:?} }}\n");
    let mut servers = Servers::configured(&config(SECRET));
    let (url, folder) = (servers.url(), tempfile::tempdir().unwrap());
    let password = option("password-file", &secret(folder.path(), "password", SECRET));
    let login = ["--nats-user=sensor", &password];
    let capture = traffic::dns(12_000);
    let file = folder.path().join("dns.pcap");
    fs::write(&file, &capture).unwrap();
    let spool = folder.path().join("spool");
    let mut args =
        sensor(&url, &spool, "berlin", &[&["--partitions=2", "--run=1"], &login[..]].concat());
    args.push("-".to_owned());
    let mut process = Process::start(args);
    let mut stdin = process.stdin();
    let (first, rest) = capture.split_at(capture.len() / 2);
    feed(&mut stdin, first);
    let messages = || {
        let options = ConnectOptions::with_user_and_password("sensor".into(), SECRET.into());
        with_client_of(&url, options, async |client| {
            let stream = jetstream::new(client).get_stream("FLOWSCOPE").await;
            stream.map_or(0, |stream| stream.cached_info().state.messages)
        })
    };
    wait_for("a message", || messages() > 0);
    servers.kill(0);
    servers.configure(&config("another"));
    servers.restart(0);
    feed(&mut stdin, rest);
    drop(stdin);
    let (code, said) = process.end();
    assert_eq!(code, Some(5), "{said}");
    assert!(said.contains("left in the spool") && !said.contains("hidden"), "{said}");
    // The next run sends the rest.
    servers.kill(0);
    servers.configure(&config(SECRET));
    servers.restart(0);
    let again = [&["--partitions=2", "--run=1"], &login[..]].concat();
    let (code, said) = sense(&url, &spool, &again, std::slice::from_ref(&file)).end();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("found in the spool"), "{said}");
    let to = folder.path().join("table");
    let (code, said) = collector(&url, &to, &login).end();
    assert_eq!(code, Some(0), "{said}");
    assert_equal(&read(&to), &expected(&[file]));
}

#[test]
fn a_file_that_is_of_no_use_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let own = Authority::new(folder.path(), "own");
    let [[certificate, key], [_, other]] = ["a", "b"].map(|name| own.sign(name));
    let file = |name: &str, text: &str| secret(folder.path(), name, text);
    let pem = "-----BEGIN CERTIFICATE-----\nhidden!\n-----END CERTIFICATE-----\n";
    let creds = "-----BEGIN NATS USER JWT-----\na.b.c\n------END NATS USER JWT------\n";
    let check = |options: &[String], part: &str| {
        let options: Vec<_> = options.iter().map(String::as_str).collect();
        let last = options.last().unwrap().trim_start_matches("--").replace('=', " ");
        let part = if part.is_empty() { last } else { format!("--{last}: {part}") };
        check_refused("nats://127.0.0.1:1", &options, [1, 1], &part);
    };
    let missing = folder.path().join("missing");
    for name in ["tlsca", "creds", "token-file"] {
        check(&[option(name, &missing)], "No such file");
        check(&[option(name, folder.path())], "Is a directory");
    }
    check(&[option("tlsca", &file("no-ca", "hidden"))], "no certificate in PEM");
    check(&[option("tlsca", &file("damaged-ca", pem))], "damaged PEM");
    check(&[option("tlsca", &key)], "no certificate in PEM");
    check(&[option("tlskey", &key), option("tlscert", &key)], "no certificate in PEM");
    let chain = option("tlscert", &certificate);
    check(&[chain.clone(), option("tlskey", &certificate)], "no private key in PEM");
    check(&[chain.clone(), option("tlskey", &other)], "not the key of the certificate");
    check(
        &[chain, option("tlskey", &file("key", &pem.replace("CERTIFICATE", "PRIVATE KEY")))],
        "damaged PEM",
    );
    check(&[option("creds", &file("creds", "hidden"))], "cannot parse user JWT");
    check(&[option("creds", &file("no-seed", creds))], "cannot parse nkey");
    check(&[option("token-file", &file("empty", "\n"))], "empty");
    let user = "--nats-user=sensor".to_owned();
    check(&[user, option("password-file", &file("lines", "hidden\nhidden"))], "more than one line");
}
