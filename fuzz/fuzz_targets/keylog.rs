#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| flowscope_fuzz_targets::run("keylog", bytes));
