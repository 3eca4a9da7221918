//! Every fuzz target on its seeds, on the committed inputs, and on fresh ones.

#![allow(clippy::print_stdout, reason = "tests that print their figures")]

use std::fs;
use std::path::{Path, PathBuf};

use flowscope_fuzz_targets::{ALL, Target, inputs};

/// Fresh inputs of each target: fewer of those that run whole conversations.
fn fresh(target: &Target) -> usize {
    let (few, many) = if cfg!(debug_assertions) { (600, 4000) } else { (20_000, 200_000) };
    match target.name {
        "driver" | "writers" | "parsers" | "keylog" => few,
        "capture" | "tracker" => many / 2,
        _ => many,
    }
}

fn committed(target: &Target) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(target.name);
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    files.sort();
    files
}

/// Prints how many inputs there were, for `cargo xtask trust`.
fn replay(name: &str) {
    let target = ALL.iter().find(|target| target.name == name).expect("a target of this name");
    let seeds = (target.seeds)();
    assert!(seeds.len() >= 4, "{name}: {} seeds", seeds.len());
    seeds.iter().for_each(|bytes| (target.run)(bytes));
    let files = committed(target);
    assert!(!files.is_empty(), "{name}: nothing is committed");
    let committed = files.len();
    for file in files {
        (target.run)(&fs::read(file).expect("a file"));
    }
    inputs(target, fresh(target), 1).for_each(|bytes| (target.run)(&bytes));
    println!("figure: {} inputs of {name}", seeds.len() + committed + fresh(target));
}

macro_rules! targets {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                replay(stringify!($name));
            }
        )*

        #[test]
        fn every_target_has_a_test_and_a_program() {
            let names: Vec<&str> = ALL.iter().map(|target| target.name).collect();
            assert_eq!(names, [$(stringify!($name)),*]);
            let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/fuzz_targets");
            for name in names {
                let program = programs.join(name).with_extension("rs");
                let text = fs::read_to_string(program).expect("a program of the target's name");
                assert!(text.contains(&format!("\"{name}\"")), "{text}");
            }
        }
    };
}

targets! { capture link defrag tracker reassembly parsers detection driver writers filter conditions keylog program }

#[test]
fn inputs_are_the_same_on_every_run() {
    for target in ALL {
        assert!(inputs(target, 20, 5).eq(inputs(target, 20, 5)), "{}", target.name);
    }
}
