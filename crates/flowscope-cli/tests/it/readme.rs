//! The commands of the README's section "Answers" print what stands below them.

use super::*;

/// The commands of the section, each with what stands below it.
fn commands(section: &str) -> Vec<(&str, String)> {
    let mut commands: Vec<(&str, String)> = Vec::new();
    for block in section.split("```text\n").skip(1) {
        let block = block.split("```").next().unwrap_or_default();
        for line in block.lines() {
            match (line.strip_prefix("$ flowscope "), commands.last_mut()) {
                (Some(args), _) => commands.push((args, String::new())),
                (None, Some((_, out))) => out.extend([line, "\n"]),
                (None, None) => panic!("no command stands above {line:?}"),
            }
        }
    }
    commands
}

#[cfg(unix)]
#[test]
fn answers_of_the_readme_are_those_of_the_program() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let (_, section) = readme.split_once("\n## Answers\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let commands = commands(section);
    assert!(commands.len() > 3, "{commands:?}");
    for (args, expected) in commands {
        // Only a shell knows its quotes.
        let line = format!("exec \"$0\" {args}");
        let mut command = Command::new("sh");
        command.args(["-c", &line, env!("CARGO_BIN_EXE_flowscope")]).current_dir(&root);
        let ran = run(&mut command, b"");
        assert_eq!(ran.code, if ran.out.is_empty() { 2 } else { 0 }, "{args}: {ran:?}");
        let said = if ran.out.is_empty() { ran.err } else { ran.out };
        assert_eq!(said.trim_end(), expected.trim_end(), "{args}");
    }
}
