//! The code in `docs/ADDING_A_PROTOCOL.md` is that of this package.

use std::fs;
use std::path::Path;

/// The files that the guide shows parts of, by the comment in the first line of a block.
fn blocks(guide: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut lines = guide.lines();
    while let Some(line) = lines.next() {
        if line.starts_with("```") && line.len() > 3 {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            let path = block.first().and_then(|first| {
                first.strip_prefix("// src/").or(first.strip_prefix("# samples/"))
            });
            if let Some(path) = path {
                let folder = if line == "```rust" { "src" } else { "samples" };
                blocks.push((format!("{folder}/{path}"), block[1..].join("\n")));
            } else {
                assert_ne!(line, "```rust", "a block of code that names no file: {block:?}");
            }
        }
    }
    blocks
}

#[test]
fn the_guide_shows_code_that_is_compiled() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let guide = fs::read_to_string(package.join("../../docs/ADDING_A_PROTOCOL.md")).unwrap();
    let blocks = blocks(&guide);
    assert!(blocks.len() > 8);
    for (path, code) in blocks {
        let text = fs::read_to_string(package.join(&path)).unwrap();
        assert!(text.contains(&code), "{path} does not contain:\n{code}");
    }
}
