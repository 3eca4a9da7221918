//! Certificates of the samples, compared with what OpenSSL's command reads in them.

#![allow(clippy::unwrap_used, reason = "helpers of tests, in tests")]

use std::io::Write as _;
use std::process::{Command, ExitCode, Stdio};

use std::path::Path;

use flowscope_conformance::Sample;
use flowscope_core::{SessionParser, StreamChunk, Timestamp};
use flowscope_testkit::{needs, runner, tests};
use flowscope_tls::{Certificate, TlsMessage, TlsParser};

fn main() -> ExitCode {
    runner::run([runner::group(
        || needs::programs(&["openssl"]),
        tests![certificates_say_what_openssl_reads],
    )])
}

fn certificates_say_what_openssl_reads() {
    let ders = certificates();
    assert!(ders.len() >= 5, "{} certificates", ders.len());
    for der in ders {
        let certificate = Certificate::parse(&der).unwrap();
        let name = |option: &str| {
            let said = openssl(&["-noout", option, "-nameopt", "RFC2253"], &der);
            said.trim_end().split_once('=').unwrap().1.trim_start().to_owned()
        };
        assert_eq!(certificate.subject.to_rfc2253(), name("-subject"));
        assert_eq!(certificate.issuer.to_rfc2253(), name("-issuer"));
        let hex = |bytes: &[u8], between: &str| {
            bytes.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(between)
        };
        let digest = |option: &str| {
            let said = openssl(&["-noout", "-fingerprint", option], &der);
            said.trim_end().split_once('=').unwrap().1.to_owned()
        };
        assert_eq!(hex(&certificate.sha1, ":"), digest("-sha1"));
        assert_eq!(hex(&certificate.sha256, ":"), digest("-sha256"));
        let serial = openssl(&["-noout", "-serial"], &der);
        let digits = hex(&certificate.serial, "");
        assert_eq!(digits.trim_start_matches("00"), &serial.trim_end()["serial=".len()..]);
        let dates = openssl(&["-noout", "-dates", "-dateopt", "iso_8601"], &der);
        let ours = [certificate.not_before, certificate.not_after].map(iso);
        assert_eq!(dates, format!("notBefore={}\nnotAfter={}\n", ours[0], ours[1]));
        let text = openssl(&["-noout", "-text"], &der);
        let has = |part: &str| assert!(text.contains(part), "{part} in {text}");
        has(&format!("Version: {} (", certificate.version));
        has(&format!("Signature Algorithm: {}\n", certificate.signature_algorithm));
        has(&format!("Public Key Algorithm: {}\n", certificate.key_algorithm));
        match certificate.key.kind.unwrap() {
            "ed25519" => has("ED25519 Public-Key:\n"),
            _ => has(&format!("Public-Key: ({} bit)\n", certificate.key.bits.unwrap())),
        }
        if let Some(curve) = &certificate.key.curve {
            has(&format!("ASN1 OID: {curve}\n"));
        }
        if let Some(exponent) = certificate.key.exponent {
            has(&format!("Exponent: {exponent} ("));
        }
        assert_eq!(text.contains("CA:TRUE"), certificate.is_ca == Some(true));
        let names = certificate.alternative_names.len();
        let listed = text.split_once("Subject Alternative Name: \n").map_or("", |(_, rest)| rest);
        let listed = listed.lines().next().unwrap_or_default().split(", ");
        assert_eq!(names, listed.filter(|name| name.contains(':')).count(), "{text}");
    }
}

/// As OpenSSL prints times.
fn iso(seconds: i64) -> String {
    let said = Command::new("date")
        .args(["-u", "-d", &format!("@{seconds}"), "+%Y-%m-%d %H:%M:%SZ"])
        .output()
        .unwrap();
    String::from_utf8(said.stdout).unwrap().trim_end().to_owned()
}

fn openssl(args: &[&str], der: &[u8]) -> String {
    let mut child = Command::new("openssl")
        .args(["x509", "-inform", "DER"])
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(der).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
}

/// The certificates in all samples, each once.
fn certificates() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/tls");
    let mut ders = Vec::new();
    for sample in Sample::in_folder(&folder) {
        let (mut parser, mut out) = (TlsParser::default(), Vec::new());
        for turn in &sample.conversation.turns {
            let chunk = StreamChunk::new(turn.side, Timestamp::ZERO, 0, &turn.bytes);
            parser.feed_into(chunk, &mut out);
        }
        for message in out {
            let TlsMessage::Certificate(chain) = message else { continue };
            ders.extend(chain.certificates().map(<[u8]>::to_vec));
        }
    }
    ders.sort();
    ders.dedup();
    ders
}
