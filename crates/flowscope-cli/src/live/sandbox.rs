//! What a capture may still do once everything is open, by Landlock (Linux 5.13 and later).

use std::error::Error;
use std::path::Path;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, NetPort, PathBeneath, PathFd, Ruleset,
    RulesetAttr as _, RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope, make_bitflags,
};

use crate::error::Failure;

/// The rights that are known here. A kernel that has fewer enforces those that it has.
const KNOWN: ABI = ABI::V6;

/// What logs need of their directory: to be made, written, rotated and deleted.
fn writing() -> BitFlags<AccessFs> {
    make_bitflags!(AccessFs::{
        WriteFile | Truncate | MakeReg | MakeDir | RemoveFile | RemoveDir | Refer
    })
}

/// Confines this thread, and those that it starts: they write nowhere but in `directory`, start no program, send
/// signals to no other program, and neither bind nor connect TCP sockets, but for those that are bound already and
/// connections to these `ports`. Returns what is to be said of it.
///
/// # Errors
///
/// If the directory cannot be opened. A kernel without Landlock is none.
pub(super) fn confine(directory: Option<&Path>, ports: &[u16]) -> Result<String, Failure> {
    let failed = |error: &dyn Error| Failure::Failed(format!("Landlock: {error}"));
    let root = PathFd::new("/").map_err(|error| failed(&error))?;
    let logs = directory.map(PathFd::new).transpose().map_err(|error| failed(&error))?;
    let status = restrict(root, logs, ports).map_err(|error| failed(&error))?;
    let place = match directory {
        Some(directory) => format!("writes in {} alone", directory.display()),
        None => "writes no file".to_owned(),
    };
    Ok(match status {
        RulesetStatus::FullyEnforced => format!("{place} and starts no program (Landlock)"),
        RulesetStatus::PartiallyEnforced => {
            format!("{place} and starts no program, as far as this kernel's Landlock goes")
        }
        RulesetStatus::NotEnforced => {
            "may write wherever its user may: this kernel has no Landlock".to_owned()
        }
    })
}

fn restrict(
    root: PathFd,
    logs: Option<PathFd>,
    ports: &[u16],
) -> Result<RulesetStatus, RulesetError> {
    let ruleset = Ruleset::default()
        .handle_access(AccessFs::from_all(KNOWN))?
        .scope(Scope::from_all(KNOWN))?
        .handle_access(AccessNet::from_all(KNOWN))?;
    let reading = make_bitflags!(AccessFs::{ReadFile | ReadDir});
    let mut ruleset = ruleset.create()?.add_rule(PathBeneath::new(root, reading))?;
    if let Some(logs) = logs {
        ruleset = ruleset.add_rule(PathBeneath::new(logs, writing()))?;
    }
    for port in ports {
        ruleset = ruleset.add_rule(NetPort::new(*port, AccessNet::ConnectTcp))?;
    }
    Ok(ruleset.restrict_self()?.ruleset)
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Write as _};
    use std::net::{TcpListener, TcpStream};
    use std::process::Command;
    use std::{fs, thread};

    use super::*;

    #[test]
    fn every_breach_is_refused() {
        let [inside, outside] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        fs::write(outside.path().join("there"), "text").unwrap();
        let bound = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = bound.local_addr().unwrap();
        let (inside, outside) = (inside.path(), outside.path());
        // Of the threads of this test, one alone.
        let confined = || {
            let said = confine(Some(inside), &[]).unwrap();
            if said.contains("no Landlock") {
                assert_eq!(
                    fs::write(outside.join("new"), "").map_err(|error| error.kind()),
                    Ok(())
                );
                return;
            }
            let denied = |what: &str, result: std::io::Result<()>| {
                let kind = result.map_err(|error| error.kind());
                assert_eq!(kind, Err(ErrorKind::PermissionDenied), "{what}: {said}");
            };
            denied("a new file", fs::write(outside.join("new"), ""));
            let open = fs::OpenOptions::new().append(true).open(outside.join("there"));
            denied("a file that is there", open.map(drop));
            denied("deleting", fs::remove_file(outside.join("there")));
            denied("a directory", fs::create_dir(outside.join("directory")));
            denied("a program", Command::new("/proc/self/exe").arg("--list").spawn().map(drop));
            assert_eq!(fs::read_to_string(outside.join("there")).unwrap(), "text");
            // Logs: they are made, written, renamed and deleted, in directories of their own too.
            let log = inside.join("log");
            fs::File::create(&log).unwrap().write_all(b"line").unwrap();
            fs::create_dir(inside.join("hour")).unwrap();
            let kept = inside.join("hour/log");
            // Between directories only where the kernel distinguishes such renames (5.19).
            match fs::rename(&log, &kept) {
                Ok(()) => fs::remove_file(kept).unwrap(),
                Err(_) => fs::remove_file(log).unwrap(),
            }
            if said.contains("as far as") {
                return;
            }
            denied("connecting", TcpStream::connect(address).map(drop));
            denied("binding", TcpListener::bind("127.0.0.1:0").map(drop));
        };
        thread::scope(|scope| scope.spawn(confined).join().unwrap());
        // What was bound before goes on, and other threads are as they were.
        TcpStream::connect(address).unwrap();
        bound.accept().unwrap();
    }

    #[test]
    fn of_all_ports_that_of_the_collector_is_connected_to() {
        let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let [collector, other] = listeners.each_ref().map(|it| it.local_addr().unwrap());
        let confined = || {
            let said = confine(None, &[collector.port()]).unwrap();
            TcpStream::connect(collector).unwrap();
            let connected = TcpStream::connect(other).map(drop).map_err(|error| error.kind());
            // Kernels before 6.7 do not know of ports.
            if !said.contains("as far as") && !said.contains("no Landlock") {
                assert_eq!(connected, Err(ErrorKind::PermissionDenied), "{said}");
            }
        };
        thread::scope(|scope| scope.spawn(confined).join().unwrap());
    }

    #[test]
    fn a_directory_that_is_none_is_an_error() {
        let confined = || confine(Some(Path::new("/nonexistent")), &[4739]);
        let result = thread::scope(|scope| scope.spawn(confined).join().unwrap());
        match result {
            Err(failure) => assert!(failure.message().unwrap().starts_with("Landlock: ")),
            Ok(said) => panic!("{said}"),
        }
    }
}
