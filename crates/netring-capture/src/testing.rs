use proptest::test_runner::Config;

/// How property tests run: as ever, but for Miri, which takes a thousand times as long and has no
/// files.
pub(crate) fn properties() -> Config {
    if cfg!(miri) {
        Config { cases: 2, failure_persistence: None, ..Config::default() }
    } else {
        Config::default()
    }
}
