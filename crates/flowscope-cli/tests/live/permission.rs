use crate::world::*;

/// In a user namespace that owns no network, root is nobody.
pub(crate) fn the_permission_error_contains_the_setcap_command() {
    let cases: [&[&str]; 4] = [
        &["flows", "-i", "lo"],
        &["events", "-i", "lo", "-f", "tcp"],
        &["capture", "-i", "lo", "-w", "-"],
        &["replay", "-i", "lo", "x.pcap"],
    ];
    let unshared = || {
        let mut command = Command::new("unshare");
        command.arg("--user").arg(env!("CARGO_BIN_EXE_flowscope"));
        command
    };
    let remedy =
        format!("    sudo setcap cap_net_raw,cap_net_admin+ep {}", env!("CARGO_BIN_EXE_flowscope"));
    for args in cases {
        let ran = run(unshared().args(args), b"");
        assert_eq!((ran.code, ran.out.as_str()), (4, ""), "{ran:?}");
        assert_eq!(ran.err.lines().last(), Some(remedy.as_str()), "{ran:?}");
    }
    let ran = run(unshared().arg("interfaces"), b"");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.err.lines().last(), Some(remedy.as_str()), "{ran:?}");
    let row = ran.out.lines().find(|line| line.starts_with("lo ")).expect(&ran.out);
    assert!(row.ends_with(" no"), "{row}");
}

/// In such a namespace root cannot write where the mode of a folder forbids it.
pub(crate) fn a_directory_without_permission_is_exit_code_5() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let closed = folder.path().join("closed");
    std::fs::create_dir(&closed).unwrap();
    std::fs::set_permissions(&closed, PermissionsExt::from_mode(0o555)).unwrap();
    // An existing directory, and one that would have to be created.
    for (dir, named) in
        [(closed.clone(), closed.join("conn.log")), (closed.join("new"), closed.join("new"))]
    {
        let mut command = Command::new("unshare");
        command.arg("--user").arg(env!("CARGO_BIN_EXE_flowscope"));
        command.args(["sessions", "--format=zeek", "-", "--output-dir"]).arg(dir);
        let ran = run(&mut command, &pcap(&small_dialogue()));
        let said = format!(
            "flowscope: {}: cannot write: Permission denied (os error 13)\n",
            named.display()
        );
        assert_eq!((ran.code, ran.out.as_str(), ran.err), (5, "", said));
        assert_eq!(std::fs::read_dir(&closed).unwrap().count(), 0);
    }
}

pub(crate) fn a_missing_interface_is_named_in_the_error() {
    for args in [
        ["flows", "-i", "none-such", "-q"],
        ["capture", "-i", "none-such", "-w-"],
        ["replay", "-i", "none-such", "x"],
    ] {
        let ran = flowscope(args);
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{ran:?}");
        assert!(ran.err.contains("no interface `none-such`; there are: lo"), "{ran:?}");
    }
}

pub(crate) fn wrong_usage_is_exit_code_2() {
    let cases: [&[&str]; 19] = [
        &["flows", "-i", "lo", "x.pcap"],
        &["flows", "-i", "lo", "-r", "x.pcap"],
        &["flows", "-c", "5", "x.pcap"],
        &["flows", "-p", "x.pcap"],
        &["flows", "-i", "lo", "-c", "0"],
        &["flows", "-i", "lo", "--duration", "0"],
        &["flows", "-i", "lo", "-s", "0"],
        &["flows", "-i", "lo", "-i", "lo"],
        &["flows", "-i", "lo", "-f", "tcp and port 99999"],
        &["events", "-f", "port 99999", "x.pcap"],
        &["follow", "-i", "lo"],
        &["capture", "-i", "lo"],
        &["capture", "-w", "x"],
        &["capture", "-i", "lo", "-w", "/tmp/x", "--keep", "2"],
        &["capture", "-i", "lo", "-w", "-", "-C", "1M"],
        &["replay", "-i", "lo"],
        &["replay", "-i", "lo", "--speed", "0", "x"],
        &["replay", "-i", "lo", "--topspeed", "--pps", "5", "x"],
        &["replay", "-i", "lo", "--loop", "2", "-"],
    ];
    for args in cases {
        let ran = flowscope(args);
        assert_eq!(ran.code, 2, "{args:?}: {ran:?}");
        assert_eq!(ran.out, "", "{args:?}");
        if args.contains(&"-f") {
            assert!(ran.err.contains("`99999` at byte"), "{ran:?}");
        }
    }
}

pub(crate) fn doctor_says_what_keeps_packets_from_being_captured() {
    let mut command = Command::new("unshare");
    command.args(["--user", env!("CARGO_BIN_EXE_flowscope"), "doctor", "lo"]);
    let ran = run(&mut command, b"");
    assert_eq!((ran.code, ran.err.as_str()), (1, ""), "{ran:?}");
    assert!(ran.out.starts_with("FAIL  permission: "), "{}", ran.out);
    let remedy =
        format!("sudo setcap cap_net_raw,cap_net_admin+ep {}", env!("CARGO_BIN_EXE_flowscope"));
    assert_eq!(ran.out.lines().nth(1).map(str::trim), Some(remedy.as_str()), "{}", ran.out);
    let json = run(command.args(["--format", "json"]), b"");
    let checks = lines(&json.out);
    assert_eq!(checks[0]["state"], "fail", "{checks:?}");
    assert_eq!(checks[0]["remedy"], remedy);
    assert!(checks.iter().any(|check| check["interface"] == "lo"), "{checks:?}");

    let ran = flowscope(["doctor", "none-such"]);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{ran:?}");
    assert!(ran.err.contains("there is no interface `none-such`"), "{}", ran.err);
}

/// In such a namespace root reads and writes what the modes of files allow.
pub(crate) fn captures_and_directories_without_permission() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let capture = file(folder.path(), "small.pcap", &pcap(&small_dialogue()));
    let closed = folder.path().join("closed");
    std::fs::create_dir(&closed).unwrap();
    std::fs::set_permissions(&closed, PermissionsExt::from_mode(0o555)).unwrap();
    let unshared = |args: &[&str], out: &Path| {
        let mut command = Command::new("unshare");
        command.arg("--user").arg(env!("CARGO_BIN_EXE_flowscope")).args(args);
        run(command.arg(&capture).arg("-o").arg(out), b"")
    };
    let extract = ["extract", "--where", "packets > 0"];
    for (args, out) in [(&["split"][..], "new"), (&extract, "new.pcap")] {
        let ran = unshared(args, &closed.join(out));
        assert_eq!((ran.code, ran.out.as_str()), (5, ""), "{ran:?}");
        assert!(ran.err.contains("Permission denied"), "{}", ran.err);
    }
    std::fs::set_permissions(&capture, PermissionsExt::from_mode(0o000)).unwrap();
    let out = folder.path().join("out.pcap");
    let ran = unshared(&extract, &out);
    assert_eq!((ran.code, ran.out.as_str()), (4, ""), "{ran:?}");
    assert!(!out.exists(), "{ran:?}");
}
