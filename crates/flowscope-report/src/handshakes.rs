use std::time::Duration;

/// Times from SYN to SYN+ACK, of one server.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Handshakes {
    count: u32,
    sum: Duration,
    shortest: Duration,
    longest: Duration,
}

impl Handshakes {
    /// Adds the time of a handshake.
    pub fn add(&mut self, rtt: Duration) {
        self.shortest = if self.count == 0 { rtt } else { self.shortest.min(rtt) };
        self.longest = self.longest.max(rtt);
        self.count = self.count.saturating_add(1);
        self.sum = self.sum.saturating_add(rtt);
    }

    /// How many were added.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Their mean; 0 without any.
    #[must_use]
    pub fn mean(&self) -> Duration {
        self.sum / self.count.max(1)
    }

    /// The shortest; 0 without any.
    #[must_use]
    pub fn shortest(&self) -> Duration {
        self.shortest
    }

    /// The longest; 0 without any.
    #[must_use]
    pub fn longest(&self) -> Duration {
        self.longest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_a_server_are_summed_up() {
        let mut times = Handshakes::default();
        assert_eq!((times.count(), times.mean()), (0, Duration::ZERO));
        [30, 10, 20].map(Duration::from_millis).into_iter().for_each(|rtt| times.add(rtt));
        let found = [times.shortest(), times.mean(), times.longest()];
        assert_eq!((times.count(), found), (3, [10, 20, 30].map(Duration::from_millis)));
        times.add(Duration::MAX);
        assert_eq!(times.longest(), Duration::MAX);
    }
}
