//! `--format parquet`, which another program writes.

use std::fs;

use super::*;

/// The program in a folder of its own, and whether it finds another one there.
#[cfg(unix)]
fn beside(companion: Option<&str>) -> (tempfile::TempDir, Command) {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("flowscope");
    fs::copy(env!("CARGO_BIN_EXE_flowscope"), &program).unwrap();
    if let Some(script) = companion {
        let path = folder.path().join("flowscope-parquet");
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
    let (_folder, mut command) = beside(Some("#!/bin/sh\nprintf '%s|' \"$@\"; exit 3\n"));
    let args = ["sessions", "--format", "parquet", "-o", "a dir", "-f", "port 53", "x.pcap"];
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
}

#[cfg(unix)]
#[test]
fn its_absence_is_1_and_says_how_to_get_it() {
    let (_folder, mut command) = beside(None);
    let ran = run(command.args(["flows", "--format=parquet", "--output-dir=x", "x.pcap"]), b"");
    assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{ran:?}");
    for part in ["`flowscope-parquet` is needed", "PATH", "cargo install"] {
        assert!(ran.err.contains(part), "{}", ran.err);
    }
}

#[test]
fn a_directory_is_needed() {
    for args in [&[][..], &["-o", "-"], &["-o", "x", "--sort=bytes"], &["-o", "x", "-n", "1"]] {
        let ran = flowscope(["flows", "--format=parquet", "x.pcap"].iter().chain(args));
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{args:?}: {ran:?}");
    }
}
