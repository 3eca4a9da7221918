/// What a benchmark was asked on its command line.
#[derive(Clone, Debug)]
pub struct Options {
    /// Size of traces and tables, 1 being what goals are stated for.
    pub scale: f64,
    /// Rounds that count.
    pub rounds: usize,
    words: Vec<String>,
}

impl Options {
    /// `[--scale X] [--rounds N] [WORD ...]`: only scenarios whose name contains one of the words
    /// are run. Anything but `cargo bench` gets a quick pass over tiny traces, so that tests of all
    /// targets merely see that benchmarks work.
    #[must_use]
    pub fn from_args() -> Self {
        Options::parse(std::env::args().skip(1), false)
    }

    /// As [`from_args`](Self::from_args) for a program of its own, which is always in earnest.
    #[must_use]
    pub fn of_program() -> Self {
        Options::parse(std::env::args().skip(1), true)
    }

    fn parse(args: impl Iterator<Item = String>, in_earnest: bool) -> Self {
        let mut options = Options { scale: 0.01, rounds: 1, words: Vec::new() };
        let mut all: Vec<String> = args.collect();
        let benching = in_earnest || all.iter().any(|arg| arg == "--bench");
        all.retain(|arg| arg != "--bench");
        if benching {
            options = Options { scale: 1.0, rounds: 5, ..options };
        }
        let mut all = all.into_iter();
        while let Some(arg) = all.next() {
            match arg.as_str() {
                "--scale" => options.scale = number(all.next()),
                "--rounds" => options.rounds = number::<usize>(all.next()).max(1),
                _ => options.words.push(arg),
            }
        }
        options
    }

    /// Whether the scenario of this name is to be run.
    #[must_use]
    pub fn wants(&self, name: &str) -> bool {
        self.words.is_empty() || self.words.iter().any(|word| name.contains(word.as_str()))
    }

    /// A number of flows or packets, scaled, at least `least`.
    #[must_use]
    pub fn scaled(&self, number: usize, least: usize) -> usize {
        ((number as f64 * self.scale) as usize).max(least)
    }
}

fn number<T: std::str::FromStr>(text: Option<String>) -> T {
    text.and_then(|text| text.parse().ok()).expect("a number behind --scale or --rounds")
}
