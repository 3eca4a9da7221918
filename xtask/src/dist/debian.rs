//! The package for Debian and its descendants, without scripts that run when it is installed.

use std::fs;
use std::path::Path;

use xshell::{Shell, cmd};

use super::tree::{self, Tree};
use super::{OUT, Release, files};
use crate::Result;

/// Who packs it, where the manifest names no authors. The domain is one that never exists (RFC 2606, section 2).
pub(super) const MAINTAINER: &str = "The flowscope developers <developers@flowscope.invalid>";

/// Where documents are installed.
const DOC: &str = "usr/share/doc/flowscope";

/// What the checks of Debian find and is so by intent.
const OVERRIDES: &str = "\
# A static program that is placed when it starts looks like a library.
flowscope: shared-library-lacks-prerequisites [usr/bin/flowscope]
";

/// Makes the package, and returns its name.
pub(super) fn pack(sh: &Shell, release: &Release) -> Result<String> {
    let tree = contents(sh, release)?;
    let root = Path::new(OUT).join("debian");
    tree.write(&root, release.time)?;
    let sums = {
        let _folder = sh.push_dir(&root);
        let paths: Vec<&str> = tree.paths().collect();
        cmd!(sh, "md5sum {paths...}").quiet().read()?
    };
    let control = control(&version(&release.version), &release.maintainer, tree.kibibytes());
    fs::create_dir(root.join("DEBIAN"))?;
    fs::write(root.join("DEBIAN/control"), control)?;
    fs::write(root.join("DEBIAN/md5sums"), sums + "\n")?;
    tree::seal(&root, release.time)?;
    let name = file_name(&release.version);
    let path = Path::new(OUT).join(&name);
    // How it is compressed is not left to the distribution and the number of cores.
    let _time = sh.push_env("SOURCE_DATE_EPOCH", release.time.to_string());
    let _threads = sh.push_env("DPKG_DEB_THREADS_MAX", "1");
    cmd!(sh, "dpkg-deb --root-owner-group -Zxz --build {root} {path}")
        .quiet()
        .ignore_stdout()
        .run()?;
    sh.remove_path(&root)?;
    Ok(name)
}

/// What it installs.
fn contents(sh: &Shell, release: &Release) -> Result<Tree> {
    let mut tree = Tree::default();
    tree.add_program("usr/bin/flowscope", release.program.clone());
    for (name, page) in files("contrib/man")? {
        tree.add(format!("usr/share/man/man1/{name}.gz"), tree::gzip(sh, page)?);
    }
    for (from, to) in [
        ("flowscope.bash", "bash-completion/completions/flowscope"),
        ("_flowscope", "zsh/vendor-completions/_flowscope"),
        ("flowscope.fish", "fish/vendor_completions.d/flowscope.fish"),
    ] {
        let completions = fs::read(Path::new("contrib/completions").join(from))?;
        tree.add(format!("usr/share/{to}"), completions);
    }
    let unit = unit(&fs::read_to_string("contrib/flowscope.service")?)?;
    tree.add("usr/lib/systemd/system/flowscope.service", unit);
    tree.add(format!("{DOC}/copyright"), copyright(&fs::read_to_string("LICENSE-MIT")?)?);
    let time = format!("@{}", release.time);
    let date = cmd!(sh, "date --utc --rfc-email --date {time}").quiet().read()?;
    let changelog = changelog(&version(&release.version), &release.maintainer, &date);
    tree.add(format!("{DOC}/changelog.gz"), tree::gzip(sh, changelog)?);
    tree.add(format!("{DOC}/CHANGELOG.md.gz"), tree::gzip(sh, fs::read("CHANGELOG.md")?)?);
    tree.add(format!("{DOC}/THIRD-PARTY.gz"), tree::gzip(sh, &release.notices)?);
    tree.add("usr/share/lintian/overrides/flowscope", OVERRIDES);
    Ok(tree)
}

/// A version of Cargo in Debian's words, by which a release candidate is before its release.
fn version(cargo: &str) -> String {
    cargo.replacen('-', "~", 1)
}

pub(super) fn file_name(cargo_version: &str) -> String {
    format!("flowscope_{}_amd64.deb", version(cargo_version))
}

/// The file `control` (Debian Policy, section 5.3). It depends on nothing: the program is static.
fn control(version: &str, maintainer: &str, kibibytes: u64) -> String {
    format!(
        "\
Package: flowscope
Version: {version}
Architecture: amd64
Maintainer: {maintainer}
Installed-Size: {kibibytes}
Section: net
Priority: optional
Description: flow and session records from captures and live interfaces
 flowscope reads capture files and network interfaces, and prints one record
 per bidirectional flow, or per exchange, handshake and message of application
 protocols: as tables, EVE JSON, logs of Zeek, CSV, JSON or IPFIX. It draws
 connections, writes reports as one page, and runs as a sensor.
"
    )
}

/// The unit of `contrib`, for where the package installs the program and the unit.
fn unit(text: &str) -> Result<String> {
    let mut text = text.to_owned();
    for (from, to) in [
        ("ExecStart=/usr/local/bin/flowscope ", "ExecStart=/usr/bin/flowscope "),
        ("cp flowscope.service /etc/systemd/system/ && ", ""),
    ] {
        if text.matches(from).count() != 1 {
            return Err(format!("contrib/flowscope.service does not have `{from}` once").into());
        }
        text = text.replace(from, to);
    }
    Ok(text)
}

/// The file `copyright`, as programs can read it, from the text of the MIT licence, which Debian calls Expat.
fn copyright(mit: &str) -> Result<String> {
    let (holder, licence) = mit
        .split_once("Copyright (c) ")
        .and_then(|(_, rest)| rest.split_once('\n'))
        .ok_or("LICENSE-MIT names no holder of a copyright")?;
    let mut expat = String::new();
    for line in licence.trim().lines() {
        // An empty line is a dot.
        let line = if line.trim().is_empty() { "." } else { line.trim_end() };
        expat += &format!(" {line}\n");
    }
    Ok(format!(
        "\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: flowscope
Comment: The program holds libraries of other authors. Their names and licences
 are in /usr/share/doc/flowscope/THIRD-PARTY.gz.

Files: *
Copyright: {holder}
License: Expat or Apache-2.0

License: Expat
{expat}
License: Apache-2.0
 On Debian systems, the text of this licence is in the file
 /usr/share/common-licenses/Apache-2.0.
"
    ))
}

/// The history of the package, which is that of the program: it has no version of its own.
fn changelog(version: &str, maintainer: &str, date: &str) -> String {
    format!(
        "\
flowscope ({version}) unstable; urgency=medium

  * What is new is in /{DOC}/CHANGELOG.md.gz.

 -- {maintainer}  {date}
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_candidate_is_before_its_release() {
        assert_eq!(version("0.1.0"), "0.1.0");
        assert_eq!(version("0.1.0-rc.1"), "0.1.0~rc.1");
        assert_eq!(version("0.1.0-rc-1"), "0.1.0~rc-1");
        assert_eq!(file_name("0.1.0-rc.1"), "flowscope_0.1.0~rc.1_amd64.deb");
    }

    #[test]
    fn control_has_every_field_on_a_line() {
        let text = control("0.1.0", MAINTAINER, 4711);
        for line in [
            "Package: flowscope",
            "Version: 0.1.0",
            "Architecture: amd64",
            "Maintainer: The flowscope developers <developers@flowscope.invalid>",
            "Installed-Size: 4711",
            "Section: net",
            "Priority: optional",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}");
        }
        let (_, description) = text.split_once("Description: ").unwrap();
        let mut lines = description.lines();
        assert!(lines.next().unwrap().len() < 80);
        assert!(lines.all(|line| line.starts_with(' ') && line.len() <= 80));
        assert!(!text.contains("\n\n") && text.ends_with('\n'));
    }

    #[test]
    fn the_unit_is_that_of_contrib_with_other_paths() {
        let contrib = concat!(env!("CARGO_MANIFEST_DIR"), "/../contrib/flowscope.service");
        let text = fs::read_to_string(contrib).unwrap();
        let unit = unit(&text).unwrap();
        assert!(unit.contains("\nExecStart=/usr/bin/flowscope sessions "));
        assert!(!unit.contains("local") && !unit.contains("cp "));
        assert_eq!(unit.lines().count(), text.lines().count());
        // A unit that starts something else is not packed as it is.
        assert!(super::unit(&unit).is_err());
        assert!(super::unit("").is_err());
    }

    #[test]
    fn the_licence_is_indented_and_empty_lines_are_dots() {
        let mit = "MIT License\n\nCopyright (c) 2026 A and B\n\nFirst.\n\nSecond,\nthird.\n";
        let text = copyright(mit).unwrap();
        assert!(text.contains("\nCopyright: 2026 A and B\nLicense: Expat or Apache-2.0\n"));
        assert!(
            text.contains("\nLicense: Expat\n First.\n .\n Second,\n third.\n\nLicense: Apache")
        );
        assert!(copyright("Public domain\n").is_err());
    }

    #[test]
    fn a_changelog_has_a_head_and_a_signature() {
        let text = changelog("0.1.0", "A <a@b>", "Thu, 01 Jan 1970 00:00:00 +0000");
        assert!(text.starts_with("flowscope (0.1.0) unstable; urgency=medium\n\n  * "));
        assert!(text.ends_with("\n\n -- A <a@b>  Thu, 01 Jan 1970 00:00:00 +0000\n"));
    }
}
