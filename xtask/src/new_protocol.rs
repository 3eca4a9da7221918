//! `cargo xtask new-protocol`: the folder of a protocol, and its line in the registry.

use std::path::Path;

use xshell::{Shell, cmd};

use crate::Result;

/// Files of a protocol that reads streams, and of one that reads datagrams, by their path in its folder.
/// `@name@`, `@Name@`, `@NAME@` and `@port@` are replaced.
macro_rules! template {
    ($transport:literal) => {
        &[
            ("Cargo.toml", include_str!("new_protocol/template/common/Cargo.toml.in")),
            (
                "tests/conformance.rs",
                include_str!("new_protocol/template/common/conformance.rs.in"),
            ),
            (
                "src/lib.rs",
                include_str!(concat!("new_protocol/template/", $transport, "/lib.rs.in")),
            ),
            (
                "src/message.rs",
                include_str!(concat!("new_protocol/template/", $transport, "/message.rs.in")),
            ),
            (
                "src/parser.rs",
                include_str!(concat!("new_protocol/template/", $transport, "/parser.rs.in")),
            ),
            (
                "src/protocol.rs",
                include_str!(concat!("new_protocol/template/", $transport, "/protocol.rs.in")),
            ),
            (
                "src/schema.rs",
                include_str!(concat!("new_protocol/template/", $transport, "/schema.rs.in")),
            ),
            (
                "samples/@name@/first.txt",
                include_str!(concat!("new_protocol/template/", $transport, "/sample.txt.in")),
            ),
        ]
    };
}

const TCP: &[(&str, &str)] = template!("tcp");
const UDP: &[(&str, &str)] = template!("udp");

/// The list of protocols, and the manifest of the crate that it is in.
const REGISTRY: &str = "crates/flowscope/src/protocols.rs";
const MANIFEST: &str = "crates/flowscope/Cargo.toml";

/// What is asked for on the command line.
#[derive(Clone, Debug, Eq, PartialEq)]
struct NewProtocol {
    name: String,
    udp: bool,
    port: u16,
}

impl NewProtocol {
    fn from_args(args: &[String]) -> Result<Self> {
        let [name, transport] = args else {
            return Err("new-protocol NAME tcp:PORT, or NAME udp:PORT".into());
        };
        let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.chars().all(known) {
            return Err(format!("`{name}`: a name is lower-case letters and digits").into());
        }
        let (udp, port) = match transport.split_once(':') {
            Some(("tcp", port)) => (false, port),
            Some(("udp", port)) => (true, port),
            _ => return Err(format!("`{transport}` is not tcp:PORT or udp:PORT").into()),
        };
        let port = port.parse().map_err(|error| format!("port `{port}`: {error}"))?;
        Ok(NewProtocol { name: name.clone(), udp, port })
    }

    /// The name of its type: the first letter is a capital.
    fn type_name(&self) -> String {
        let (first, rest) = self.name.split_at(1);
        first.to_uppercase() + rest
    }

    fn fill(&self, text: &str) -> String {
        text.replace("@name@", &self.name)
            .replace("@Name@", &self.type_name())
            .replace("@NAME@", &self.name.to_uppercase())
            .replace("@port@", &self.port.to_string())
    }

    /// Writes its folder into a checkout, and its lines into the registry.
    fn write(&self, root: &Path) -> Result<()> {
        let sh = Shell::new()?;
        sh.change_dir(root);
        let folder = format!("crates/flowscope-{}", self.name);
        if sh.path_exists(&folder) {
            return Err(format!("{folder} exists").into());
        }
        let registry = with_registry_line(&sh.read_file(REGISTRY)?, self)?;
        let manifest = with_feature(&sh.read_file(MANIFEST)?, self)?;
        for (path, text) in if self.udp { UDP } else { TCP } {
            sh.write_file(format!("{folder}/{}", self.fill(path)), self.fill(text))?;
        }
        sh.write_file(REGISTRY, registry)?;
        sh.write_file(MANIFEST, manifest)?;
        let package = format!("flowscope-{}", self.name);
        cmd!(sh, "cargo fmt -p {package}").quiet().run()?;
        Ok(())
    }
}

/// Writes the protocol that `args` name.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let new = NewProtocol::from_args(args)?;
    new.write(Path::new("."))?;
    let name = &new.name;
    println!(
        "crates/flowscope-{name}: a protocol of lines, to be made into {name}\n\
         {REGISTRY}: its line\n\
         {MANIFEST}: its feature\n\
         \n\
         Next: docs/ADDING_A_PROTOCOL.md, and\n\
         UPDATE_GOLDEN=1 cargo test -p flowscope-{name} -p flowscope"
    );
    Ok(())
}

/// The list of protocols with a new one at its end.
fn with_registry_line(text: &str, new: &NewProtocol) -> Result<String> {
    let NewProtocol { name, .. } = new;
    let line = format!("            \"{name}\" {name} {} flowscope_{name},", new.type_name());
    let mut lines: Vec<&str> = text.lines().collect();
    let list = lines.iter().position(|line| line.contains("macro_rules! for_each_protocol"));
    let end = list.and_then(|list| {
        let end = lines[list..].iter().position(|line| *line == "        }")?;
        Some(list + end)
    });
    let end = end.ok_or_else(|| format!("{REGISTRY} has no list of protocols"))?;
    lines.insert(end, &line);
    Ok(lines.join("\n") + "\n")
}

/// The manifest with a new protocol's feature, on by default, and its crate.
fn with_feature(text: &str, new: &NewProtocol) -> Result<String> {
    let name = &new.name;
    let (mut out, mut section) = (Vec::new(), "");
    let (mut listed, mut depended) = (false, false);
    let feature = format!("# {}.\n{name} = [\"dep:flowscope-{name}\"]", new.type_name());
    let dependency = format!(
        "flowscope-{name} = {{ version = \"0.1.0\", path = \"../flowscope-{name}\", optional = true }}"
    );
    for line in text.lines() {
        match line {
            _ if line.starts_with('[') => section = line,
            "" if section == "[features]" => out.push(feature.clone()),
            _ => {}
        }
        let crate_name = line.split([' ', '.']).next().unwrap_or_default();
        let before = format!("flowscope-{name}").as_str() < crate_name;
        if section == "[dependencies]"
            && !depended
            && (line.is_empty() || before)
            && line != section
        {
            depended = true;
            out.push(dependency.clone());
        }
        if section == "[features]"
            && let Some(list) = line.strip_prefix("default = [")
        {
            listed = true;
            out.push(format!("default = [\"{name}\", {list}"));
            continue;
        }
        out.push(line.to_owned());
    }
    if !listed || !depended {
        return Err(
            format!("{MANIFEST} has no list of default features, or no dependencies").into()
        );
    }
    Ok(out.join("\n") + "\n")
}

/// Writes a protocol of each kind into a copy of the checkout, and runs their tests, those of the registry, and the
/// benchmark of parsers, there.
pub(crate) fn check(sh: &Shell) -> Result<()> {
    let copy = sh.current_dir().join("target/new-protocol/checkout");
    sh.remove_path(&copy)?;
    let files = cmd!(sh, "git ls-files --cached --others --exclude-standard").quiet().read()?;
    for file in files.lines().filter(|file| sh.path_exists(file)) {
        let to = copy.join(file);
        sh.create_dir(to.parent().unwrap_or(&copy))?;
        sh.copy_file(file, to)?;
    }
    let new = [("trialtcp", false, 47_011), ("trialudp", true, 47_012)];
    for (name, udp, port) in new {
        NewProtocol { name: name.to_owned(), udp, port }.write(&copy)?;
    }
    let inside = Shell::new()?;
    inside.change_dir(&copy);
    // The workspace's own, whose dependencies are compiled already.
    let _target = inside.push_env("CARGO_TARGET_DIR", sh.current_dir().join("target"));
    {
        let _golden = inside.push_env("UPDATE_GOLDEN", "1");
        cmd!(inside, "cargo test --quiet -p flowscope-trialtcp -p flowscope-trialudp").run()?;
        // The pages that the registry is written to.
        for pages in ["readme", "formats_page"] {
            cmd!(inside, "cargo test --quiet -p flowscope --test {pages}").run()?;
        }
    }
    cmd!(inside, "cargo test --quiet -p flowscope-trialtcp -p flowscope-trialudp -p flowscope")
        .run()?;
    cmd!(inside, "cargo clippy --quiet -p flowscope-trialtcp -p flowscope-trialudp -p flowscope --all-targets -- -D warnings")
        .run()?;
    cmd!(inside, "cargo fmt --all --check").run()?;
    let rows =
        cmd!(inside, "cargo test --quiet -p flowscope-benches --bench parsers -- trial").read()?;
    for (name, ..) in new {
        if !rows.contains(&format!("| {name} ")) {
            return Err(format!("the benchmark of parsers has no row `{name}`: {rows}").into());
        }
    }
    sh.remove_path(&copy)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gopher() -> NewProtocol {
        NewProtocol { name: "gopher".to_owned(), udp: false, port: 70 }
    }

    #[test]
    fn arguments_name_protocol_transport_and_port() {
        let parse = |args: &[&str]| {
            let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
            NewProtocol::from_args(&args).map_err(|error| error.to_string())
        };
        assert_eq!(parse(&["gopher", "tcp:70"]), Ok(gopher()));
        for wrong in [
            &["gopher"][..],
            &["Gopher", "tcp:70"],
            &["9p", "tcp:70"],
            &["a", "70"],
            &["a", "tcp:x"],
        ] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn templates_are_filled() {
        for (path, text) in TCP.iter().chain(UDP) {
            let filled = gopher().fill(path) + &gopher().fill(text);
            assert!(
                !filled.contains("@name@") && !filled.to_lowercase().contains("@name@"),
                "{path}"
            );
            assert!(!filled.contains("@port@"), "{path}");
        }
    }

    #[test]
    fn a_line_is_added_to_the_registry_and_a_feature_to_its_crate() {
        let registry = "macro_rules! for_each_protocol {\n    (x) => {\n        $callback! {\n            \
            \"http\" http Http flowscope_http,\n        }\n    };\n}\n";
        let added = with_registry_line(registry, &gopher()).unwrap();
        assert!(added.contains(
            "flowscope_http,\n            \"gopher\" gopher Gopher flowscope_gopher,\n        }"
        ));
        assert!(with_registry_line("", &gopher()).is_err());

        let manifest = "[package]\n\n[features]\ndefault = [\"http\"]\nhttp = []\n\n[dependencies]\n\
            flowscope-core.workspace = true\nflowscope-http = 1\n\n[lints]\n";
        let added = with_feature(manifest, &gopher()).unwrap();
        let expected = "[package]\n\n[features]\ndefault = [\"gopher\", \"http\"]\nhttp = []\n# Gopher.\n\
            gopher = [\"dep:flowscope-gopher\"]\n\n[dependencies]\nflowscope-core.workspace = true\n\
            flowscope-gopher = { version = \"0.1.0\", path = \"../flowscope-gopher\", optional = true }\n\
            flowscope-http = 1\n\n[lints]\n";
        assert_eq!(added, expected);
        assert!(with_feature("[features]\n", &gopher()).is_err());
    }
}
