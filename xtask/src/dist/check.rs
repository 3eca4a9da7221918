//! Whether what was packed runs where there is nothing else: in a root that has the program and a capture, and no library,
//! device, folder or file besides.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use xshell::{Cmd, Shell, cmd};

use super::{OUT, Release, debian, folder_name};
use crate::{Result, needs};

/// Where the capture is, and its name.
const DATA: &str = "tests/data";
const CAPTURE: &str = "mixed.pcapng";

/// What is run of each program, in the folder of the capture.
const RUNS: [&[&str]; 3] =
    [&["--version"], &["flows", CAPTURE], &["sessions", "--format", "eve", CAPTURE]];

/// Where the package is unpacked, in the folder for that.
const INSTALLED: &str = "package";

const UNIT: &str = "flowscope.service";

/// The most that `systemd-analyze security` may find, in tenths: sockets for packets, the network of the machine, and the two capabilities.
const EXPOSURE: &str = "--threshold=18";

/// Options of unshare, before the root: for any user where the kernel lets users make namespaces, else for root, with the
/// namespaces of this process.
const NAMESPACES: [&[&str]; 2] =
    [&["--user", "--map-root-user", "--mount", "--net", "--root"], &["--root"]];

/// Unpacks archive and package, and compares what their programs print in an empty root with what that of an ordinary
/// build prints here.
pub(super) fn run(sh: &Shell, release: &Release) -> Result<()> {
    let namespaces = namespaces(sh)?;
    cmd!(sh, "cargo build --quiet --locked -p flowscope-cli").run()?;
    let ordinary = sh.current_dir().join("target/debug/flowscope");
    {
        let _folder = sh.push_dir(OUT);
        cmd!(sh, "sha256sum --check --quiet SHA256SUMS").quiet().run()?;
    }
    let unpacked = sh.create_temp_dir()?;
    let programs = unpack(sh, release, unpacked.path())?;
    check_unit(sh, &unpacked.path().join(INSTALLED))?;
    for (name, program) in programs {
        let root = sh.create_temp_dir()?;
        fs::copy(&program, root.path().join("flowscope"))?;
        fs::copy(Path::new(DATA).join(CAPTURE), root.path().join(CAPTURE))?;
        for args in RUNS {
            let expected = {
                let _folder = sh.push_dir(DATA);
                output(cmd!(sh, "{ordinary} {args...}"))?
            };
            let root = root.path();
            let got = output(cmd!(sh, "unshare {namespaces...} {root} /flowscope {args...}"))?;
            if let Some(difference) = difference(&expected, &got) {
                let args = args.join(" ");
                return Err(
                    format!("{name}: `flowscope {args}` in an empty root: {difference}").into()
                );
            }
        }
        println!("{name}: runs in an empty root, and prints what the ordinary build prints");
    }
    Ok(())
}

/// The way to another root that this machine allows.
fn namespaces(sh: &Shell) -> Result<&'static [&'static str]> {
    let works = |options: &[&str]| {
        cmd!(sh, "unshare {options...} / true").quiet().ignore_stdout().ignore_stderr().run()
    };
    NAMESPACES.into_iter().find(|options| works(options).is_ok()).ok_or_else(|| {
        "unshare cannot change the root: no user namespaces are allowed here, nor is it root".into()
    })
}

/// Unpacks both below `folder`. Returns the name of each, and where its program is.
fn unpack(sh: &Shell, release: &Release, folder: &Path) -> Result<[(String, PathBuf); 2]> {
    let name = folder_name(&release.version);
    let archive = format!("{name}.tar.gz");
    let path = Path::new(OUT).join(&archive);
    cmd!(sh, "tar --extract --gzip --file {path} -C {folder}").quiet().run()?;
    let package = debian::file_name(&release.version);
    let (path, installed) = (Path::new(OUT).join(&package), folder.join(INSTALLED));
    cmd!(sh, "dpkg-deb -x {path} {installed}").quiet().run()?;
    let programs = [folder.join(name).join("flowscope"), installed.join("usr/bin/flowscope")];
    let [first, second] = programs;
    Ok([(archive, first), (package, second)])
}

/// Whether systemd takes the unit of the package, unpacked in `folder`, as it is written, and how much it leaves the program to do.
/// It says that it was skipped where there is no systemd.
fn check_unit(sh: &Shell, folder: &Path) -> Result<()> {
    if cmd!(sh, "systemd-analyze --version").quiet().ignore_stdout().ignore_stderr().run().is_err()
    {
        return needs::skip(
            "dist",
            "there is no systemd-analyze, so that the unit was not checked",
        );
    }
    let unit = fs::read_to_string(folder.join("usr/lib/systemd/system").join(UNIT))?;
    // The program has to be where the unit has it.
    let installed = "ExecStart=/usr/bin/flowscope ";
    if !unit.contains(installed) {
        return Err(format!("{UNIT} has no line `{installed}`").into());
    }
    let here = format!("ExecStart={}/usr/bin/flowscope ", folder.display());
    let checked = sh.create_temp_dir()?;
    let path = checked.path().join(UNIT);
    fs::write(&path, unit.replace(installed, &here))?;
    cmd!(sh, "systemd-analyze verify --man=no --recursive-errors=no {path}").quiet().run()?;
    let most = ["--offline=true", EXPOSURE];
    cmd!(sh, "systemd-analyze security {most...} {path}").quiet().ignore_stdout().run()?;
    println!("{UNIT}: systemd takes it as it is");
    Ok(())
}

/// Runs it without what this environment says of languages, terminals and time zones.
fn output(cmd: Cmd<'_>) -> Result<Output> {
    let path = env::var_os("PATH").unwrap_or_default();
    Ok(cmd.env_clear().env("PATH", path).quiet().ignore_status().output()?)
}

/// What is different, if something is.
fn difference(expected: &Output, got: &Output) -> Option<String> {
    if !got.status.success() || got.status != expected.status {
        let error = String::from_utf8_lossy(&got.stderr);
        return Some(format!("{}: {}", got.status, error.trim_end()));
    }
    for (stream, expected, got) in [
        ("standard output", &expected.stdout, &got.stdout),
        ("standard error", &expected.stderr, &got.stderr),
    ] {
        if expected == got {
            continue;
        }
        let (expected, got) = (String::from_utf8_lossy(expected), String::from_utf8_lossy(got));
        let (mut expected, mut got) = (expected.lines(), got.lines());
        for line in 1_u32.. {
            let (expected, got) = (expected.next(), got.next());
            if expected == got && expected.is_some() {
                continue;
            }
            let shown =
                |line: Option<&str>| line.map_or("its end".to_owned(), |line| format!("`{line}`"));
            let (expected, got) = (shown(expected), shown(got));
            return Some(format!("line {line} of {stream} is {got} in place of {expected}"));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use super::*;

    fn output(status: i32, stdout: &str, stderr: &str) -> Output {
        let status = ExitStatus::from_raw(status << 8);
        Output { status, stdout: stdout.into(), stderr: stderr.into() }
    }

    #[test]
    fn equal_outputs_do_not_differ() {
        let expected = output(0, "a\nb\n", "sum\n");
        assert_eq!(difference(&expected, &expected), None);
    }

    #[test]
    fn the_first_line_that_differs_is_named() {
        let expected = output(0, "a\nb\n", "sum\n");
        let differ = |stdout, stderr| difference(&expected, &output(0, stdout, stderr)).unwrap();
        assert_eq!(differ("a\nc\n", "sum\n"), "line 2 of standard output is `c` in place of `b`");
        assert_eq!(differ("a\n", "sum\n"), "line 2 of standard output is its end in place of `b`");
        assert_eq!(differ("a\nb\n", ""), "line 1 of standard error is its end in place of `sum`");
        // An end of a line that is missing.
        assert!(differ("a\nb", "sum\n").contains("line 3"));
    }

    #[test]
    fn a_failure_is_a_difference_also_if_both_fail() {
        let failed = output(1, "", "no such file\n");
        assert_eq!(difference(&failed, &failed).unwrap(), "exit status: 1: no such file");
        assert!(difference(&output(0, "", ""), &failed).is_some());
    }
}
