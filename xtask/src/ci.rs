//! `cargo xtask ci`: what has to hold before a change lands.

use std::collections::BTreeSet;
use std::time::Instant;

use xshell::{Shell, cmd};

use crate::{
    Result, arrow, browser, container, dist, gate, graph, metadata, new_protocol, package, python,
    record, rules, targets,
};

/// One check, run alone as `cargo xtask ci NAME`.
struct Step {
    name: &'static str,
    about: &'static str,
    run: fn(&Shell) -> Result<()>,
}

/// In the order in which they run: the quick ones first.
const STEPS: &[Step] = &[
    Step { name: "format", about: "rustfmt has nothing to change", run: format },
    Step { name: "readme", about: "README.md and .ci/run name the same test command", run: readme },
    Step {
        name: "data",
        about: "tests/data and its README agree, and stay small",
        run: |_| record::check_folder(),
    },
    Step { name: "lints", about: "every crate takes the workspace's lints", run: lints },
    Step { name: "lock", about: "Cargo.lock is current", run: lock },
    Step {
        name: "deny",
        about: "bans, licences and sources of dependencies, by cargo-deny",
        run: |sh| deny(sh, "Cargo.toml"),
    },
    Step {
        name: "package",
        about: "manifests, READMEs and archives of crates that can be published",
        run: package::check,
    },
    Step { name: "graph", about: "who depends on whom", run: |_| graph::run() },
    Step { name: "rules", about: "rules of the tracker and their ids", run: |_| rules::run() },
    Step { name: "clippy", about: "clippy on all targets, warnings denied", run: clippy },
    Step { name: "test", about: "the README's test command", run: test },
    Step { name: "docs", about: "rustdoc, warnings denied", run: docs },
    Step {
        name: "browser",
        about: "pages of `flowscope report` in chromium: accessible, inert, without a request",
        run: browser::check,
    },
    Step {
        name: "gate",
        about: "instructions and allocations per packet, by valgrind",
        run: |_| gate::run(&[]),
    },
    Step {
        name: "protocol",
        about: "what new-protocol writes compiles, and passes its tests",
        run: new_protocol::check,
    },
    Step {
        name: "features",
        about: "every crate alone, and each of its features alone",
        run: features,
    },
    Step {
        name: "native",
        about: "tests of the features that compile, or link with, native code",
        run: native,
    },
    Step {
        name: "python",
        about: "the package python: tests of its wheel beside the command",
        run: python::run,
    },
    Step {
        name: "arrow",
        about: "the packages that need Arrow: their tests, with servers that are killed, and other readers of their files",
        run: arrow::run,
    },
    Step {
        name: "dist",
        about: "archive and package of a static program, which runs in an empty root",
        run: dist::step,
    },
    Step {
        name: "container",
        about: "the image of contrib/Containerfile, by the commands and the pod of the guide, under podman",
        run: container::step,
    },
    Step {
        name: "targets",
        about: "the libraries, and the command, compile for other platforms",
        run: targets::check,
    },
    Step {
        name: "memory",
        about: "arithmetic on shared memory, under Miri and the address sanitizer",
        run: memory,
    },
];

/// The only crate that may hold `unsafe`, and so keeps its own table of lints.
const HOLDS_UNSAFE: &str = "netring-capture";

/// Runs the steps that `args` name, all of them by default, and stops at the first failure.
pub(crate) fn run(args: &[String]) -> Result<()> {
    if args == ["--list"] {
        for step in STEPS {
            println!("{:10} {}", step.name, step.about);
        }
        return Ok(());
    }
    let chosen = choose(args)?;
    let sh = Shell::new()?;
    let start = Instant::now();
    for step in &chosen {
        println!("── {}: {}", step.name, step.about);
        let start = Instant::now();
        (step.run)(&sh).map_err(|error| format!("step `{}` failed: {error}", step.name))?;
        println!("── {} passed in {:.1} s", step.name, start.elapsed().as_secs_f64());
    }
    println!("── ci: {} steps passed in {:.1} s", chosen.len(), start.elapsed().as_secs_f64());
    Ok(())
}

/// The steps to run, in the order of [`STEPS`] whatever the order of `args`.
fn choose(args: &[String]) -> Result<Vec<&'static Step>> {
    let (mut only, mut skip) = (BTreeSet::new(), BTreeSet::new());
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let (set, name) = match arg.as_str() {
            "--skip" => (&mut skip, args.next().ok_or("--skip needs the name of a step")?),
            _ => (&mut only, arg),
        };
        if !STEPS.iter().any(|step| step.name == name) {
            return Err(format!("no step `{name}`; `cargo xtask ci --list` names them").into());
        }
        set.insert(name.as_str());
    }
    Ok(STEPS
        .iter()
        .filter(|step| only.is_empty() || only.contains(step.name))
        .filter(|step| !skip.contains(step.name))
        .collect())
}

fn format(sh: &Shell) -> Result<()> {
    Ok(cmd!(sh, "cargo fmt --all --check").run()?)
}

fn clippy(sh: &Shell) -> Result<()> {
    Ok(cmd!(sh, "cargo clippy --workspace --all-targets -- -D warnings").run()?)
}

/// Clippy on all targets that `args` of `cargo build` choose, warnings denied, for packages outside of the workspace. Their
/// dependencies are compiled as for their tests: `cargo clippy` would compile them a second time.
pub(crate) fn clippy_outside(sh: &Shell, args: &[&str]) -> Result<()> {
    let _driver = sh.push_env("RUSTC_WORKSPACE_WRAPPER", "clippy-driver");
    // As `cargo clippy` hands over what follows its `--`.
    let _arguments = sh.push_env("CLIPPY_ARGS", "-Dwarnings__CLIPPY_HACKERY__");
    Ok(cmd!(sh, "cargo build --all-targets {args...}").run()?)
}

fn test(sh: &Shell) -> Result<()> {
    let readme = sh.read_file("README.md")?;
    let command = test_command(&readme)?;
    Ok(cmd!(sh, "sh -c {command}").run()?)
}

fn docs(sh: &Shell) -> Result<()> {
    let _warnings = sh.push_env("RUSTDOCFLAGS", "-D warnings");
    Ok(cmd!(sh, "cargo doc --no-deps --workspace").run()?)
}

fn lock(sh: &Shell) -> Result<()> {
    Ok(cmd!(sh, "cargo fetch --quiet --locked").run()?)
}

/// Needs cargo-deny; where there is none, it says that it was skipped. Advisories are left out: they are in a database
/// that has to be fetched.
pub(crate) fn deny(sh: &Shell, manifest: &str) -> Result<()> {
    let probe = cmd!(sh, "cargo deny --version").quiet().ignore_stdout().ignore_stderr().run();
    if probe.is_err() {
        println!("SKIPPED: deny: cargo-deny is not installed");
        return Ok(());
    }
    let checks = ["bans", "licenses", "sources"];
    // The program looks for its settings beside the manifest.
    let of = ["--manifest-path", manifest, "--config", "deny.toml"];
    let options = ["--hide-inclusion-graph", "--allow", "duplicate"];
    Ok(cmd!(sh, "cargo deny --locked {of...} check {options...} {checks...}").run()?)
}

/// Builds each package outside the company of the others, which might switch its features on.
fn features(sh: &Shell) -> Result<()> {
    for package in metadata::packages(sh)? {
        let name = package["name"].as_str().ok_or("a package without a name")?;
        cmd!(sh, "cargo check --quiet -p {name}").run()?;
        let features = package["features"].as_object().into_iter().flatten();
        let features: Vec<&str> = features.map(|(feature, _)| feature.as_str()).collect();
        if !features.is_empty() {
            cmd!(sh, "cargo check --quiet -p {name} --no-default-features").run()?;
        }
        for feature in features.into_iter().filter(|&feature| feature != "default") {
            cmd!(sh, "cargo check --quiet -p {name} --no-default-features --features {feature}")
                .run()?;
        }
    }
    Ok(())
}

/// What is different with AF_XDP and libpcap; needs the packages that README.md names for them. Tests that these features
/// change nothing of are left to the step `test`.
fn native(sh: &Shell) -> Result<()> {
    let features = "netring-capture/af-xdp,netring/af-xdp,netring/libpcap,flowscope-filter/libpcap,\
        flowscope-tests/af-xdp";
    let packages = ["netring-capture", "netring", "flowscope-filter", "flowscope-tests"];
    let packages = packages.iter().flat_map(|package| ["-p", package]);
    let tests = ["--lib", "--test", "live", "--test", "text", "--test", "libpcap"];
    Ok(cmd!(sh, "cargo test {packages...} --features {features} {tests...}").run()?)
}

/// Needs a nightly toolchain; where there is none, it says that it was skipped.
fn memory(sh: &Shell) -> Result<()> {
    let probe = cmd!(sh, "cargo +nightly miri --version").quiet().ignore_stderr().read();
    if probe.is_err() {
        println!("SKIPPED: memory: no nightly toolchain with Miri");
        return Ok(());
    }
    let package = HOLDS_UNSAFE;
    {
        let _flags = sh.push_env("MIRIFLAGS", "-Zmiri-permissive-provenance");
        cmd!(sh, "cargo +nightly miri test -p {package} --lib").run()?;
    }
    let _flags = sh.push_env("RUSTFLAGS", "-Zsanitizer=address");
    let target = cmd!(sh, "rustc +nightly -vV").quiet().read()?;
    let target = target
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .ok_or("rustc does not say what it runs on")?;
    // With a target, build scripts and macros are built without the sanitizer.
    Ok(cmd!(sh, "cargo +nightly test -p {package} --lib --target {target}").run()?)
}

fn lints(sh: &Shell) -> Result<()> {
    if !sh.read_file("Cargo.toml")?.contains("unsafe_code = \"forbid\"") {
        return Err("the workspace's lints no longer forbid unsafe code".into());
    }
    for folder in sh.read_dir("crates")? {
        let manifest = folder.join("Cargo.toml");
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        if !manifest.exists() || name == HOLDS_UNSAFE {
            continue;
        }
        if !takes_workspace_lints(&sh.read_file(&manifest)?) {
            return Err(format!("{name} lacks `[lints] workspace = true`").into());
        }
    }
    Ok(())
}

fn takes_workspace_lints(manifest: &str) -> bool {
    let mut lines = manifest.lines().map(str::trim).skip_while(|line| *line != "[lints]").skip(1);
    lines.find(|line| !line.is_empty() && !line.starts_with('#')) == Some("workspace = true")
}

fn readme(sh: &Shell) -> Result<()> {
    let readme = sh.read_file("README.md")?;
    let command = test_command(&readme)?;
    if !shell_lines(&readme).any(|line| line.starts_with("cargo run --release")) {
        return Err("README.md has no `cargo run --release …` in a fenced sh block".into());
    }
    if !runs(&sh.read_file(".ci/run")?, command) {
        return Err(format!(".ci/run does not run `{command}`, which README.md states").into());
    }
    Ok(())
}

/// The command with which a reader of `readme` runs the tests.
fn test_command(readme: &str) -> Result<&str> {
    shell_lines(readme)
        .find(|line| *line == "cargo test" || line.starts_with("cargo test "))
        .ok_or_else(|| "README.md has no `cargo test` in a fenced sh block".into())
}

/// Lines inside the blocks that are fenced as ```` ```sh ````, without comments at their ends.
fn shell_lines(markdown: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    markdown.lines().filter_map(move |line| {
        if let Some(language) = line.trim().strip_prefix("```") {
            fenced = !fenced && language == "sh";
            return None;
        }
        fenced.then(|| line.split(" #").next().unwrap_or_default().trim())
    })
}

/// Whether `script` runs exactly `command`, at most copying its output.
fn runs(script: &str, command: &str) -> bool {
    script
        .lines()
        .any(|line| line.split(" 2>&1 | tee ").next().unwrap_or_default().trim() == command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_command_is_read_from_fenced_shell() {
        let readme =
            "cargo test --not-this\n```sh\ncargo run --release -p x # see\ncargo test # all\n```\n";
        assert_eq!(test_command(readme).ok(), Some("cargo test"));
        assert!(shell_lines(readme).any(|line| line.starts_with("cargo run --release")));
        assert!(test_command("```rust\ncargo test\n```\n").is_err());
        assert!(test_command("```sh\ncargo testify\n```\n").is_err());
        assert!(test_command("```sh\nls\n```\ncargo test\n").is_err());
    }

    #[test]
    fn a_script_runs_the_very_same_command() {
        assert!(runs("set -e\ncargo test 2>&1 | tee \"$log\"\n", "cargo test"));
        assert!(runs("  cargo test\n", "cargo test"));
        assert!(!runs("cargo test --release\n", "cargo test"));
        assert!(!runs("# cargo test\n", "cargo test"));
    }

    #[test]
    fn lints_come_from_the_workspace() {
        assert!(takes_workspace_lints("[package]\nname = \"x\"\n[lints]\nworkspace = true\n"));
        assert!(!takes_workspace_lints("[package]\nname = \"x\"\n"));
        assert!(!takes_workspace_lints("[lints.rust]\nunsafe_code = \"warn\"\n"));
        assert!(!takes_workspace_lints("[dependencies]\nworkspace = true\n"));
    }

    #[test]
    fn steps_keep_their_order() {
        let names = |args: &[&str]| -> Vec<&str> {
            let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
            choose(&args).unwrap().iter().map(|step| step.name).collect()
        };
        assert_eq!(names(&["clippy", "format"]), ["format", "clippy"]);
        assert_eq!(names(&["--skip", "test"]).len(), STEPS.len() - 1);
        assert!(choose(&["nothing".to_owned()]).is_err());
        assert!(choose(&["--skip".to_owned()]).is_err());
    }
}
