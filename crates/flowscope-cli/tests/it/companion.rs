//! `--format parquet` and `arrow`, and `collect`: other programs do the work.

use std::fs;

use super::*;

/// The program in a folder of its own, and what another one there is called and does.
#[cfg(unix)]
fn beside(companion: Option<(&str, &str)>) -> (tempfile::TempDir, Command) {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("flowscope");
    fs::copy(env!("CARGO_BIN_EXE_flowscope"), &program).unwrap();
    if let Some((name, script)) = companion {
        let path = folder.path().join(name);
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut command = Command::new(program);
    command.env("PATH", folder.path().join("nothing"));
    (folder, command)
}

#[cfg(unix)]
#[test]
fn the_program_beside_gets_the_arguments() {
    let check = |name: &str, args: &[&str]| {
        let (_folder, mut command) =
            beside(Some((name, "#!/bin/sh\nprintf '%s|' \"$@\"; exit 3\n")));
        command.args(args);
        let mut ran = run(&mut command, b"");
        // As for the program itself, what other tests start may have the script open for a moment.
        for _ in 0..100 {
            if !ran.err.contains("Text file busy") {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
            ran = run(&mut command, b"");
        }
        assert_eq!((ran.code, ran.out.as_str()), (3, &*format!("{}|", args.join("|"))), "{ran:?}");
    };
    let filtered = ["-f", "port 53", "x.pcap"];
    let parquet = ["sessions", "--format", "parquet", "-o", "a dir"];
    check("flowscope-parquet", &[&parquet[..], &filtered].concat());
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().to_str().unwrap();
    let named = format!("{directory}/a");
    std::fs::write(&named, "PAR1").unwrap();
    for merged in [&["x.json", directory][..], &[&named], &["x.json", "--format=parquet"]] {
        check("flowscope-parquet", &[&["merge", "-o", "a dir"], merged].concat());
    }
    let arrow = ["flows", "--format=arrow", "-o", "nats://a:1", "--site=a", "--spool=a dir"];
    check("flowscope-nats", &[&arrow[..], &filtered].concat());
    check("flowscope-nats", &["collect", "--help", "-o", "a dir"]);
}

#[cfg(unix)]
#[test]
fn its_absence_is_1_and_says_how_to_get_it() {
    let check = |name: &str, folder: &str, args: &[&str]| {
        let (_folder, mut command) = beside(None);
        let ran = run(command.args(args), b"");
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{ran:?}");
        let install = format!("cargo install --locked --path {folder}");
        for part in [&format!("`{name}` is needed"), "PATH", &install] {
            assert!(ran.err.contains(part), "{}", ran.err);
        }
    };
    check(
        "flowscope-parquet",
        "columnar",
        &["flows", "--format=parquet", "--output-dir=x", "x.pcap"],
    );
    check("flowscope-parquet", "columnar", &["merge", "--format=parquet", "-o", "x", "x.json"]);
    check("flowscope-parquet", "columnar", &["merge", "-o", "x", env!("CARGO_MANIFEST_DIR")]);
    let arrow = ["--format=arrow", "-o", "nats://a:1,nats://b", "--site=a", "--spool=x"];
    check("flowscope-nats", "nats", &[&["sessions", "x.pcap"][..], &arrow].concat());
    check("flowscope-nats", "nats", &["collect", "nats://a:1", "-o", "x"]);
}

#[test]
fn a_server_is_needed() {
    let arrow = ["flows", "--format=arrow", "x.pcap"];
    let named = ["-o", "nats://a:1", "--site=a", "--spool=x"];
    for args in [
        &[][..],
        &["-o", "nats://a:1"],
        &["-o", "tcp://a:1", "--site=a", "--spool=x"],
        &["-o", "nats://a:x", "--site=a", "--spool=x"],
        &[&named[..], &["--sort=bytes"]].concat(),
        &[&named[..], &["-n", "1"]].concat(),
    ] {
        let ran = flowscope(arrow.iter().chain(args));
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{args:?}: {ran:?}");
    }
    let options = [
        "--site=a",
        "--spool=x",
        "-onats://a:1",
        "-otls://a:1",
        "--nats-tlsca=a",
        "--nats-token-file=a",
    ];
    for option in options {
        let ran = flowscope(["flows", "x.pcap", option]);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{option}: {ran:?}");
    }
}

#[test]
fn a_directory_is_needed() {
    for args in [&[][..], &["-o", "-"], &["-o", "x", "--sort=bytes"], &["-o", "x", "-n", "1"]] {
        let ran = flowscope(["flows", "--format=parquet", "x.pcap"].iter().chain(args));
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{args:?}: {ran:?}");
    }
}
