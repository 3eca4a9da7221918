//! What docs/CAPTURE_GUIDE.md and contrib/Containerfile say of containers, so that it is what runs.

use crate::Result;

/// Where the guide says it.
const SECTION: &str = "### Containers\n";

/// The first line of the options of a sensor.
const SENSOR: &str = "# /etc/flowscope/sensor.toml\n";

/// The commands of the section that start a container, as words.
pub(super) fn commands(guide: &str) -> Result<Vec<Vec<String>>> {
    let blocks = blocks(section(guide)?, "text");
    let commands: Vec<_> = blocks
        .into_iter()
        .map(words)
        .filter(|words| words.starts_with(&RUN.map(str::to_owned)))
        .collect();
    if commands.is_empty() {
        return Err("the guide starts no container".into());
    }
    Ok(commands)
}

/// The pod of the section.
pub(super) fn pod(guide: &str) -> Result<&str> {
    Ok(blocks(section(guide)?, "yaml").pop().ok_or("the guide has no pod")?)
}

/// The options of a sensor.
pub(super) fn sensor(guide: &str) -> Result<&str> {
    let mut blocks = blocks(guide, "toml").into_iter();
    Ok(blocks
        .find(|text| text.starts_with(SENSOR))
        .ok_or("the guide has no options of a sensor")?)
}

/// The command in the comments at the top of contrib/Containerfile.
pub(super) fn command_of_file(file: &str) -> Result<Vec<String>> {
    let comments = file.lines().map_while(|line| line.strip_prefix('#'));
    let command: Vec<&str> = comments
        .skip_while(|line| !line.trim_start().starts_with("podman run"))
        .take_while(|line| !line.is_empty())
        .collect();
    if command.is_empty() {
        return Err("the comments of contrib/Containerfile start no container".into());
    }
    Ok(words(&command.join("\n")))
}

/// How each command begins.
pub(super) const RUN: [&str; 2] = ["podman", "run"];

fn section(guide: &str) -> Result<&str> {
    let (_, section) = guide.split_once(SECTION).ok_or("the guide has no section on containers")?;
    Ok(section.split_once("\n## ").map_or(section, |(section, _)| section))
}

/// Texts of the blocks that are fenced as of `language`.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    let parts = text.split(&fence).skip(1);
    parts.filter_map(|part| Some(part.split_once("```")?.0)).collect()
}

/// Words of a command on several lines, none of which is quoted.
fn words(command: &str) -> Vec<String> {
    command.split_whitespace().filter(|word| *word != "\\").map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUIDE: &str = "# Guide\n```toml\n# /etc/flowscope/sensor.toml\nkeep = 1\n```\n\
        ```text\npodman run other\n```\n### Containers\n```text\npodman build .\n```\n\
        ```text\npodman run --rm \\\n    image -i eth0\n```\n```yaml\nkind: Pod\n```\n## More\n```yaml\nx: 1\n```\n";

    #[test]
    fn commands_and_pod_are_those_of_the_section() {
        assert_eq!(commands(GUIDE).unwrap(), [["podman", "run", "--rm", "image", "-i", "eth0"]]);
        assert_eq!(pod(GUIDE).unwrap(), "kind: Pod\n");
        assert_eq!(sensor(GUIDE).unwrap(), "# /etc/flowscope/sensor.toml\nkeep = 1\n");
        for text in ["", "### Containers\n"] {
            assert!(commands(text).is_err() && pod(text).is_err() && sensor(text).is_err());
        }
    }

    #[test]
    fn the_command_of_the_file_ends_with_an_empty_comment() {
        let file = "# What.\n#\n#   podman run -v a:b \\\n#       image\n#\n# More.\nFROM scratch\n#   no\n";
        assert_eq!(command_of_file(file).unwrap(), ["podman", "run", "-v", "a:b", "image"]);
        assert!(command_of_file("# What.\nFROM scratch\n#   podman run image\n").is_err());
    }
}
