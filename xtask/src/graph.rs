//! `cargo xtask graph`: who may depend on whom.

use std::collections::BTreeSet;

use serde_json::Value;
use xshell::{Shell, cmd};

use crate::{Result, metadata};

/// The arrows, each crate with what it may name directly. An arrow takes in what lies below its
/// target; crates that appear in no common chain never see each other.
const ARROWS: &[Arrow] = &[
    Arrow("flowscope-core", &[]),
    Arrow("flowscope-testkit", &["flowscope-core"]),
    Arrow("flowscope-conformance", &["flowscope-output", "flowscope-pcap", TESTKIT]),
    Arrow("flowscope-extract", &["flowscope-core"]),
    Arrow("flowscope-track", &["flowscope-core"]),
    Arrow("flowscope-reassembly", &["flowscope-core"]),
    Arrow("flowscope-session", &["flowscope-reassembly"]),
    Arrow("flowscope-pcap", &["flowscope-core"]),
    Arrow("flowscope-filter", &["flowscope-core"]),
    Arrow("flowscope-record", &["flowscope-core"]),
    Arrow("flowscope-where", &["flowscope-record"]),
    Arrow("flowscope-ber", &[]),
    Arrow("flowscope-files", &["flowscope-record"]),
    Arrow("flowscope-lengths", &["flowscope-core"]),
    Arrow("flowscope-lines", &["flowscope-core"]),
    // No protocol, for it describes no records; what it opens is one.
    Arrow("flowscope-decrypt", &["flowscope-core", "flowscope-tls"]),
    Arrow("netring-capture", &["flowscope-filter"]),
    Arrow("flowscope-driver", &["flowscope-track", "flowscope-session"]),
    Arrow("flowscope-output", &["flowscope-record", "flowscope-extract", "flowscope-driver"]),
    Arrow("flowscope-ipfix", &["flowscope-output"]),
    Arrow("flowscope-parallel", &["flowscope-driver"]),
    Arrow("flowscope-report", &["flowscope-output"]),
    Arrow("flowscope-tui", &["flowscope-report", "flowscope-where"]),
    Arrow("netring", &["flowscope-driver", "netring-capture", "flowscope-pcap"]),
    Arrow(
        "flowscope",
        &[
            "flowscope-decrypt",
            "flowscope-driver",
            "flowscope-extract",
            "flowscope-output",
            "flowscope-pcap",
        ],
    ),
    Arrow(
        "flowscope-cli",
        &[
            "flowscope",
            "flowscope-filter",
            "flowscope-ipfix",
            "flowscope-parallel",
            "flowscope-report",
            "flowscope-tui",
            "flowscope-where",
            "netring",
        ],
    ),
    // Shows that a parser needs no more than this.
    Arrow("example-redis", &["flowscope-core"]),
    // Writes the attacks of the testkit as capture files.
    Arrow(XTASK, &[TESTKIT]),
];

/// What a protocol may name: a member that names [`RECORD`] and has no arrow of its own is a protocol.
const PROTOCOL_MAY_USE: &[&str] = &[
    "flowscope-session",
    "flowscope-ber",
    "flowscope-files",
    "flowscope-lengths",
    "flowscope-lines",
    RECORD,
];

/// Protocols inside others, whose decoder is a protocol too.
const CARRIED: &[(&str, &str)] = &[("flowscope-quic", "flowscope-tls")];

/// Arrows that only a feature may switch on.
const BEHIND_A_FEATURE: &[(&str, &str)] = &[
    ("flowscope", "flowscope-decrypt"),
    ("flowscope", "flowscope-extract"),
    ("flowscope", "flowscope-output"),
    ("flowscope", "flowscope-pcap"),
    ("flowscope-cli", "flowscope-tui"),
    ("flowscope-cli", "netring"),
];

/// What stands at the top is tested, and documented, with what its users put into it.
const IN_TESTS: &[(&str, &str)] = &[
    ("flowscope-driver", "flowscope-extract"),
    ("netring", "flowscope-extract"),
    ("flowscope-output", "flowscope-pcap"),
];

/// Those that any protocol may be put into, in tests.
const PROTOCOLS_IN_TESTS: &[&str] = &["netring", "flowscope-output", "flowscope-tui"];

/// Member packages that are no part of the product and may use all of it.
const OUTSIDE: &[&str] = &[
    "flowscope-tests",
    "flowscope-benches",
    "flowscope-fuzz-targets",
    "example-programs",
    "example-live",
];

/// The one outside crate that `flowscope-core` may name.
const CORE_MAY_USE: &str = "bytes";

/// Programs that show what a crate can do alone, and the only crates that each may name.
const STANDALONE: &[(&str, &[&str])] = &[
    ("standalone-extract-track", &["flowscope-extract", "flowscope-track"]),
    ("standalone-filter", &["flowscope-filter"]),
    ("standalone-http", &["flowscope-http"]),
    ("standalone-pcap", &["flowscope-pcap"]),
    ("standalone-reassembly", &["flowscope-reassembly"]),
];

const UMBRELLA: &str = "flowscope";
const RECORD: &str = "flowscope-record";
const TESTKIT: &str = "flowscope-testkit";
const CONFORMANCE: &str = "flowscope-conformance";

/// Dependencies of tests only.
const FOR_TESTS: &[&str] = &[TESTKIT, CONFORMANCE];
const XTASK: &str = "xtask";
const TRACK: &str = "flowscope-track";

/// Tracking flows must stay cheap to take on: its normal tree, itself included, is smaller than this.
const TRACK_TREE_BELOW: usize = 12;

/// A crate and the crates directly below it.
#[derive(Clone, Copy, Debug)]
struct Arrow(&'static str, &'static [&'static str]);

/// A member of the workspace and what its manifest names.
#[derive(Clone, Debug)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

/// One line of a `[dependencies]` table.
#[derive(Clone, Debug)]
struct Dependency {
    name: String,
    /// Whether it stands under `[dev-dependencies]`.
    dev: bool,
    optional: bool,
}

/// Checks the arrows, then the trees that `cargo tree` resolves.
pub(crate) fn run() -> Result<()> {
    let sh = Shell::new()?;
    let packages = packages(&sh)?;
    let mut wrong = violations(&packages);
    for package in &packages {
        wrong.extend(tree_violations(&sh, &package.name)?);
    }
    if wrong.is_empty() {
        println!("graph: {} packages, every arrow allowed", packages.len());
        return Ok(());
    }
    Err(format!("the graph forbids:\n  {}", wrong.join("\n  ")).into())
}

fn packages(sh: &Shell) -> Result<Vec<Package>> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let name = |value: &Value| value["name"].as_str().unwrap_or_default().to_owned();
    Ok(metadata::packages(sh)?
        .iter()
        .map(|package| Package {
            name: name(package),
            dependencies: list(&package["dependencies"])
                .iter()
                .map(|dependency| Dependency {
                    name: name(dependency),
                    dev: dependency["kind"] == "dev",
                    optional: dependency["optional"] == true,
                })
                .collect(),
        })
        .collect())
}

/// Every edge of the workspace that no arrow allows, as lines to print.
fn violations(packages: &[Package]) -> Vec<String> {
    let members: BTreeSet<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    let protocols = protocols(packages);
    let mut wrong = Vec::new();
    for package in packages {
        let from = package.name.as_str();
        if OUTSIDE.contains(&from) {
            continue;
        }
        if let Some((_, allowed)) = STANDALONE.iter().find(|(name, _)| *name == from) {
            let more = package.dependencies.iter().map(|dependency| dependency.name.as_str());
            let more = more.filter(|name| !allowed.contains(name));
            wrong.extend(more.map(|to| format!("{from} → {to}: stands on {allowed:?} alone")));
            continue;
        }
        let below = match below(from) {
            Some(below) => below,
            None if protocols.contains(from) => below_protocol(from),
            None => {
                wrong.push(format!("{from} has no place in the graph: give it one in xtask"));
                continue;
            }
        };
        for dependency in &package.dependencies {
            let to = dependency.name.as_str();
            if !members.contains(to) {
                if from == "flowscope-core" && !dependency.dev && to != CORE_MAY_USE {
                    wrong.push(format!("{from} → {to}: core takes {CORE_MAY_USE} at most"));
                }
            } else if FOR_TESTS.contains(&to) && ![CONFORMANCE, XTASK].contains(&from) {
                if !dependency.dev {
                    wrong.push(format!("{from} → {to}: that one is for tests"));
                }
            } else if dependency.dev && IN_TESTS.contains(&(from, to)) {
                // Allowed there alone.
            } else if from == UMBRELLA && protocols.contains(to) {
                if !dependency.optional && !dependency.dev {
                    wrong.push(format!("{from} → {to}: this one belongs behind a feature"));
                }
            } else if dependency.dev && protocols.contains(to) && PROTOCOLS_IN_TESTS.contains(&from)
            {
                // Allowed there alone.
            } else if !below.contains(to) {
                let table = if dependency.dev { " (dev)" } else { "" };
                wrong.push(format!("{from} → {to}{table}: {to} does not lie below {from}"));
            } else if !dependency.optional
                && !dependency.dev
                && BEHIND_A_FEATURE.contains(&(from, to))
            {
                wrong.push(format!("{from} → {to}: this one belongs behind a feature"));
            }
        }
    }
    wrong
}

/// The protocols: members that describe records and have no arrow of their own.
fn protocols(packages: &[Package]) -> BTreeSet<&str> {
    let describes_records = |package: &&Package| {
        package.dependencies.iter().any(|dependency| dependency.name == RECORD && !dependency.dev)
    };
    let names = packages.iter().filter(describes_records).map(|package| package.name.as_str());
    names.filter(|name| below(name).is_none() && !OUTSIDE.contains(name)).collect()
}

/// Everything that a protocol may depend on.
fn below_protocol(name: &str) -> BTreeSet<&'static str> {
    let mut reached: BTreeSet<_> = PROTOCOL_MAY_USE.iter().copied().collect();
    reached.extend(PROTOCOL_MAY_USE.iter().filter_map(|name| below(name)).flatten());
    reached.extend(CARRIED.iter().filter(|(carrier, _)| *carrier == name).map(|(_, to)| *to));
    reached
}

/// Everything that `name` may depend on, or `None` where the graph does not know `name`.
fn below(name: &str) -> Option<BTreeSet<&'static str>> {
    let direct = |name: &str| ARROWS.iter().find(|arrow| arrow.0 == name).map(|arrow| arrow.1);
    let mut reached = BTreeSet::new();
    let mut open = direct(name)?.to_vec();
    while let Some(next) = open.pop() {
        if reached.insert(next) {
            open.extend(direct(next).unwrap_or_default());
        }
    }
    Some(reached)
}

/// What is wrong with the packages that one crate brings along.
fn tree_violations(sh: &Shell, name: &str) -> Result<Vec<String>> {
    if OUTSIDE.contains(&name) || !name.starts_with("flowscope") {
        return Ok(Vec::new());
    }
    // The program may wait on sockets under its `live` feature; a library may under none.
    let features = if name == "flowscope-cli" { "--no-default-features" } else { "--all-features" };
    let mut wrong = Vec::new();
    for crate_name in tree(sh, name, features)? {
        let family = crate_name.split('-').next().unwrap_or_default();
        if matches!(family, "tokio" | "futures") {
            wrong.push(format!(
                "{name} {features} brings in {crate_name}: no runtime below netring"
            ));
        }
    }
    if name == TRACK {
        let size = tree(sh, name, "")?.len();
        if size >= TRACK_TREE_BELOW {
            wrong
                .push(format!("{name} brings in {size} packages, the bound is {TRACK_TREE_BELOW}"));
        }
    }
    Ok(wrong)
}

/// Names of all packages in the normal tree of one package, itself included.
fn tree(sh: &Shell, name: &str, features: &str) -> Result<BTreeSet<String>> {
    let features = features.split_whitespace();
    let text =
        cmd!(sh, "cargo tree -p {name} -e normal --prefix none {features...}").quiet().read()?;
    Ok(text.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Some protocols: they have no arrows.
    const PROTOCOLS: [&str; 3] = ["flowscope-http", "flowscope-tls", "flowscope-dns"];

    /// `from → to` under `[dependencies]`; a leading `dev:` or `optional:` says otherwise.
    fn check(from: &str, to: &[&str], expected: &[&str]) {
        let dependency = |line: &&str| {
            let (table, name) = line.split_once(':').unwrap_or(("", line));
            Dependency { name: name.to_owned(), dev: table == "dev", optional: table == "optional" }
        };
        let mut packages: Vec<Package> = ARROWS
            .iter()
            .filter(|arrow| arrow.0 != from)
            .map(|arrow| Package { name: arrow.0.to_owned(), dependencies: Vec::new() })
            .collect();
        for name in PROTOCOLS {
            let record = dependency(&RECORD);
            packages.push(Package { name: name.to_owned(), dependencies: vec![record] });
        }
        packages.retain(|package| package.name != from);
        let mut dependencies: Vec<_> = to.iter().map(dependency).collect();
        if PROTOCOLS.contains(&from) {
            dependencies.push(dependency(&RECORD));
        }
        packages.push(Package { name: from.to_owned(), dependencies });
        let found = violations(&packages);
        assert_eq!(found.len(), expected.len(), "{from} → {to:?}: {found:?}");
        for (line, part) in found.iter().zip(expected) {
            assert!(line.contains(part), "`{line}` lacks `{part}`");
        }
    }

    #[test]
    fn arrows_point_down() {
        check("flowscope-track", &["flowscope-core"], &[]);
        check("flowscope-http", &["flowscope-session", "httparse"], &[]);
        check("flowscope-driver", &["flowscope-track", "flowscope-session"], &[]);
        check("flowscope-core", &["flowscope-track"], &["does not lie below"]);
        check("flowscope-track", &["flowscope-driver"], &["does not lie below"]);
        check("flowscope-reassembly", &["flowscope-http"], &["does not lie below"]);
    }

    #[test]
    fn arrows_take_in_what_lies_below_their_target() {
        check("netring", &["flowscope-track", "flowscope-core"], &[]);
        check("flowscope-http", &["flowscope-core"], &[]);
        check("flowscope-cli", &["flowscope-track"], &[]);
        check("netring", &["flowscope-http"], &["does not lie below"]);
        check("netring", &["dev:flowscope-http"], &[]);
    }

    #[test]
    fn siblings_never_see_each_other_in_tests_either() {
        check("flowscope-extract", &["flowscope-track"], &["does not lie below"]);
        check("flowscope-tls", &["dev:flowscope-http"], &["(dev)"]);
        check("flowscope-driver", &["dev:flowscope-http", "flowscope-dns"], &["(dev)", "dns"]);
        check("flowscope-driver", &["dev:flowscope-extract"], &[]);
        check("flowscope-driver", &["flowscope-extract"], &["does not lie below"]);
        check("flowscope-track", &["dev:flowscope-core"], &[]);
    }

    #[test]
    fn a_protocol_stands_on_the_session_the_record_and_its_decoder() {
        let any = ["flowscope-record", "flowscope-session", "nom"];
        check("flowscope-finger", &any, &[]);
        check("flowscope-finger", &["flowscope-record", "flowscope-driver"], &["below"]);
        check("flowscope-finger", &["flowscope-record", "flowscope-tls"], &["below"]);
        check("flowscope-quic", &["flowscope-record", "flowscope-tls"], &[]);
    }

    #[test]
    fn the_testkit_is_for_tests() {
        check("flowscope-track", &["dev:flowscope-testkit"], &[]);
        check("flowscope-track", &["flowscope-testkit"], &["for tests"]);
        check("flowscope-track", &["optional:flowscope-testkit"], &["for tests"]);
        check("flowscope-tests", &["flowscope-testkit", "flowscope-cli", "tokio"], &[]);
        check("flowscope-benches", &["flowscope-testkit", "netring"], &[]);
    }

    #[test]
    fn core_takes_bytes_at_most() {
        check("flowscope-core", &["bytes", "dev:proptest"], &[]);
        check("flowscope-core", &["serde"], &["bytes at most"]);
        check("flowscope-core", &["optional:tracing"], &["bytes at most"]);
    }

    #[test]
    fn leaves_and_live_capture_are_features() {
        check("flowscope", &["flowscope-driver", "optional:flowscope-http"], &[]);
        check("flowscope", &["flowscope-http"], &["behind a feature"]);
        check("flowscope-cli", &["flowscope", "optional:netring"], &[]);
        check("flowscope-cli", &["netring"], &["behind a feature"]);
        check("flowscope", &["optional:netring"], &["does not lie below"]);
    }

    #[test]
    fn standalone_programs_name_one_leaf() {
        check("standalone-pcap", &["flowscope-pcap"], &[]);
        check("standalone-pcap", &["flowscope-pcap", "flowscope-core"], &["alone"]);
        check("standalone-http", &["flowscope-http", "dev:flowscope-testkit"], &["alone"]);
    }

    #[test]
    fn a_crate_without_a_place_is_refused() {
        check("flowscope-other", &["flowscope-core"], &["no place"]);
        check("xtask", &["flowscope-testkit"], &[]);
        check("xtask", &["flowscope-track"], &["does not lie below"]);
    }
}
