//! Links of the documents: every file and every heading that they lead to is there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The folders with documents, from the root of the repository.
const FOLDERS: [&str; 3] = ["", "docs", "plans"];

#[test]
fn every_relative_link_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut broken = Vec::new();
    let mut links = 0;
    for folder in FOLDERS {
        for document in documents(&root.join(folder)) {
            let text = fs::read_to_string(&document).unwrap();
            for link in relative_links(&text) {
                links += 1;
                if let Err(why) = follow(&document, &text, link) {
                    broken.push(format!("{}: {link}: {why}", document.display()));
                }
            }
        }
    }
    assert!(links > 50, "{links} links");
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

fn documents(folder: &Path) -> BTreeSet<PathBuf> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect()
}

fn follow(document: &Path, text: &str, link: &str) -> Result<(), &'static str> {
    let (path, heading) = link.split_once('#').unwrap_or((link, ""));
    let target = document.parent().unwrap().join(path);
    if !path.is_empty() && !target.exists() {
        return Err("no such file");
    }
    let target = match path {
        "" => text.to_owned(),
        _ if heading.is_empty() => return Ok(()),
        _ => fs::read_to_string(&target).map_err(|_| "cannot be read")?,
    };
    headings(&target).contains(heading).then_some(()).ok_or("no such heading")
}

/// Lines outside of fenced code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fence && !fenced
    })
}

/// What stands behind `](` and behind `]:`, if it leads to a file or a heading of this repository.
fn relative_links(text: &str) -> Vec<&str> {
    let mut links = Vec::new();
    for line in prose(text) {
        links.extend(line.split("](").skip(1).filter_map(|rest| rest.split(')').next()));
        if line.starts_with('[')
            && let Some((_, target)) = line.split_once("]: ")
        {
            links.push(target.trim());
        }
    }
    links.retain(|link| !link.contains("://"));
    links
}

/// The names under which links reach the headings, as hosting platforms make them of the text: letters in lower
/// case, spaces as hyphens, no other signs, and numbers for those that come again.
fn headings(text: &str) -> BTreeSet<String> {
    let mut seen = BTreeMap::new();
    let titles = prose(text).filter_map(|line| {
        let title = line.trim_start_matches('#');
        (title.len() < line.len()).then(|| title.strip_prefix(' ')).flatten()
    });
    titles
        .map(|title| {
            let kept = title.trim().to_lowercase();
            let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            let name: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
            let times = seen.entry(name.clone()).or_insert(0);
            *times += 1;
            if *times == 1 { name } else { format!("{name}-{}", *times - 1) }
        })
        .collect()
}

#[test]
fn links_and_headings_are_found_outside_of_code() {
    let text = "# A title, `code`\n[a](b.md) [c](#d-e)\n```sh\n# no title\n[x](y)\n```\n## D: e\n## D: e\n\
        [f]: g.md#h\n[i](https://example.com/)\n";
    assert_eq!(relative_links(text), ["b.md", "#d-e", "g.md#h"]);
    let names: Vec<_> = headings(text).into_iter().collect();
    assert_eq!(names, ["a-title-code", "d-e", "d-e-1"]);
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("it/documents.md");
    assert_eq!(follow(&here, text, "#d-e"), Ok(()));
    assert_eq!(follow(&here, text, "#d"), Err("no such heading"));
    assert_eq!(follow(&here, text, "documents.rs"), Ok(()));
    assert_eq!(follow(&here, text, "missing.rs"), Err("no such file"));
}
