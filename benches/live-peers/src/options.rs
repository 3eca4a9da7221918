use std::env;
use std::str::FromStr;

use crate::load::Mix;
use crate::readers::Reader;

/// What was asked on the command line.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) rounds: usize,
    /// How long each reader is fed at each rate.
    pub(crate) seconds: f64,
    /// Most packets sent to each.
    pub(crate) packets: usize,
    /// Packets per second; 0 is as many as go.
    pub(crate) rates: Vec<u64>,
    pub(crate) mixes: Vec<Mix>,
    pub(crate) readers: Vec<Reader>,
    pub(crate) json: bool,
    /// Whether a reader that has not seen all is a failure.
    pub(crate) check: bool,
    /// Cores of sender and reader.
    pub(crate) cores: [usize; 2],
}

/// What `--help` says.
pub(crate) const HELP: &str = "\
Measures live capture on a veth pair in a network namespace of its own.

  --rounds N          rounds that count; readers take turns (default 5)
  --seconds X         how long each is fed at each rate (default 2)
  --packets N         most packets sent to each (default 1000000)
  --rates N,N         packets per second, 0 for as fast as it goes (default 100000,200000,400000,0)
  --mixes A,B         of: imix small (default both)
  --readers A,B       of: ring netring published tcpdump driver driver-far stream, and with
                      the feature af-xdp: xdp-ring netring-xdp-generic netring-xdp-native
                      (default all)
  --cores S,R         cores of sender and reader (default 0,1)
  --json              prints every sample instead of a table
  --quick             a short run that fails unless every reader has seen all
";

impl Options {
    /// Of this process; what is wrong with them, or the help, if they are not to be run.
    pub(crate) fn from_args() -> Result<Self, String> {
        let mut options = Options {
            rounds: 5,
            seconds: 2.0,
            packets: 1_000_000,
            rates: vec![100_000, 200_000, 400_000, 0],
            mixes: Mix::ALL.to_vec(),
            readers: Reader::ALL.to_vec(),
            json: false,
            check: false,
            cores: [0, 1],
        };
        let mut args = env::args().skip(1);
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or(format!("{arg} what?"));
            match arg.as_str() {
                "--rounds" => options.rounds = one::<usize>(&value()?)?.max(1),
                "--seconds" => options.seconds = one(&value()?)?,
                "--packets" => options.packets = one(&value()?)?,
                "--rates" => options.rates = all(&value()?, |word| word.parse().ok())?,
                "--mixes" => options.mixes = all(&value()?, Mix::named)?,
                "--readers" => options.readers = all(&value()?, Reader::named)?,
                "--cores" => {
                    let cores = all(&value()?, |word| word.parse().ok())?;
                    options.cores = cores.try_into().map_err(|_| "--cores takes two")?;
                }
                "--json" => options.json = true,
                "--quick" => {
                    options.check = true;
                    options.rounds = 1;
                    options.seconds = 0.2;
                    options.rates = vec![50_000];
                }
                "--help" | "-h" => return Err(HELP.to_owned()),
                _ => return Err(format!("{arg}?\n\n{HELP}")),
            }
        }
        Ok(options)
    }

    /// Packets sent at a rate; as many as there may be where it is not known.
    pub(crate) fn packets_at(&self, rate: u64) -> usize {
        match rate {
            0 => self.packets,
            rate => self.packets.min((rate as f64 * self.seconds) as usize),
        }
    }
}

fn one<T: FromStr>(word: &str) -> Result<T, String> {
    word.parse().map_err(|_| format!("{word} is not a number"))
}

fn all<T>(words: &str, read: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, String> {
    words.split(',').map(|word| read(word).ok_or(format!("{word} is not known"))).collect()
}
