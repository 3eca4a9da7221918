//! The passing of time: a table in which nothing is due, and one in which everything is.

use flowscope_benches::{Figure, Options, Pings, Report, Trace, worst_of};

use crate::contestants::{Contestant, How};

pub(crate) fn passes(options: &Options) {
    for flows in [100_000, 1_000_000] {
        if options.wants(&format!("time-{flows}")) {
            one(options.scaled(flows, 1000), options);
        }
    }
}

/// UDP flows, told of twice, the second time in another order: memory order is not time order.
fn one(flows: usize, options: &Options) {
    let mut pings = Pings::new(flows);
    let rounds: [Trace; 2] = [pings.round(0), pings.round(30)];
    let report = Report::new(&format!("{flows} UDP flows and time"), "us");
    for how in [How::Peer, How::Batches] {
        let names =
            ["worst call, nothing due", "calls until all expired", "worst of them", "all of them"];
        let mut figures = names
            .map(|name| Figure { name: format!("{}: {name}", how.name()), samples: Vec::new() });
        for round in 0..=options.rounds.min(3) {
            let mut contestant = Contestant::new(how, flows * 4);
            for trace in &rounds {
                contestant.feed(trace, 0..trace.len(), 0);
            }
            let mut calls = 0;
            let (_, idle, _) = worst_of(|| {
                calls += 1;
                contestant.expire(Pings::at(32) + calls * 1_000_000);
                calls < 10
            });
            assert_eq!(contestant.len(), flows);
            let (calls, worst, all) = worst_of(|| contestant.expire(Pings::at(100)));
            assert_eq!(contestant.tally().ended, flows as u64);
            if round > 0 {
                for (figure, cost) in figures.iter_mut().zip([idle, calls as f64, worst, all]) {
                    figure.samples.push(cost);
                }
            }
        }
        let goals = match how {
            How::Peer => [""; 4],
            _ => ["<= 50", "", "<= 200", ""],
        };
        figures.iter().zip(goals).for_each(|(figure, goal)| report.row(figure, goal));
    }
}
