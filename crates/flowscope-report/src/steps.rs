//! What a client waited for, one after the other.

use std::net::IpAddr;
use std::time::Duration;

use flowscope_core::{L4Proto, Timestamp};
use flowscope_extract::Endpoint;
use flowscope_output::{FlowRecord, FlowRecordKind};
use flowscope_track::ConnState;

use crate::Heavy;
use crate::session::Session;

/// One thing that a client waited for.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) start: Timestamp,
    /// `None` if there was no answer.
    pub(crate) lasted: Option<Duration>,
    pub(crate) kind: StepKind,
    pub(crate) server: Endpoint,
    /// Name or request; empty for connections.
    pub(crate) what: String,
    pub(crate) failed: bool,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum StepKind {
    Dns,
    Connect,
    Tls,
    Http,
}

impl StepKind {
    pub(crate) const ALL: [StepKind; 4] =
        [StepKind::Dns, StepKind::Connect, StepKind::Tls, StepKind::Http];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            StepKind::Dns => "DNS",
            StepKind::Connect => "TCP connect",
            StepKind::Tls => "TLS",
            StepKind::Http => "HTTP",
        }
    }
}

/// The steps of each client, the earliest of each; at most [`MAX_CLIENTS`], those with the most steps.
#[derive(Clone, Debug)]
pub(crate) struct Steps(Heavy<IpAddr, Vec<Step>>);

/// Clients whose steps are kept.
pub(crate) const MAX_CLIENTS: usize = 64;

/// Steps that are kept of each.
pub(crate) const MAX_STEPS: usize = 40;

impl Steps {
    pub(crate) fn new() -> Self {
        Steps(Heavy::new(MAX_CLIENTS))
    }

    /// The handshake of a connection.
    pub(crate) fn flow(&mut self, record: &FlowRecord) {
        let ended = matches!(record.kind, FlowRecordKind::Ended(_));
        if record.header.key.proto() != L4Proto::Tcp || !ended {
            return;
        }
        let failed = matches!(record.conn_state, ConnState::S0 | ConnState::Rej);
        if record.syn_rtt.is_none() && !failed {
            return;
        }
        let (client, server) = record.header.endpoints();
        let lasted = record.syn_rtt.map(|rtt| rtt + record.ack_rtt.unwrap_or_default());
        let step = Step {
            start: record.start,
            lasted,
            kind: StepKind::Connect,
            server,
            what: String::new(),
            failed,
        };
        self.add(client.addr, step);
    }

    pub(crate) fn session(&mut self, session: &Session) {
        let kind = match session.protocol {
            "dns" => StepKind::Dns,
            "tls" | "quic" => StepKind::Tls,
            "http" => StepKind::Http,
            _ => return,
        };
        // Requests say more than the name of their host.
        let [sni, _, query] = &session.names;
        let name = query.as_ref().or(sni.as_ref()).cloned();
        let lasted = match kind {
            StepKind::Dns => session.latency,
            _ => Some(session.end.since(session.start)),
        };
        let step = Step {
            start: session.start,
            lasted,
            kind,
            server: session.to,
            what: name.unwrap_or_else(|| session.summary.clone()),
            failed: session.failed.is_some(),
        };
        self.add(session.from.addr, step);
    }

    fn add(&mut self, client: IpAddr, step: Step) {
        let steps = self.0.add(client, 1);
        let at =
            steps.partition_point(|other| (other.start, other.kind) <= (step.start, step.kind));
        if at < MAX_STEPS {
            steps.insert(at, step);
            steps.truncate(MAX_STEPS);
        }
    }

    /// By how much the number of steps of a client may be too high.
    pub(crate) fn error(&self) -> u64 {
        self.0.error()
    }

    /// The clients with the most steps: address, number of steps, and the earliest of them.
    pub(crate) fn clients(&self, most: usize) -> Vec<(&IpAddr, u64, &[Step])> {
        let clients = self.0.top(most).into_iter();
        clients.map(|(client, n, steps)| (client, n, steps.as_slice())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_steps_of_a_client_are_kept_in_whatever_order_they_come() {
        let client: IpAddr = [10, 0, 0, 1].into();
        let step = |at: u64| Step {
            start: Timestamp::from_secs(at),
            lasted: None,
            kind: StepKind::Dns,
            server: Endpoint { addr: client, port: Some(53) },
            what: String::new(),
            failed: true,
        };
        let mut steps = Steps::new();
        // Every residue once: 37 and 101 have no common divisor.
        (0..101).for_each(|n| steps.add(client, step(n * 37 % 101)));
        let clients = steps.clients(9);
        let [(addr, n, kept)] = clients[..] else { panic!("{clients:?}") };
        assert_eq!((*addr, n), (client, 101));
        let starts: Vec<u64> = kept.iter().map(|step| step.start.secs()).collect();
        assert_eq!(starts, (0..MAX_STEPS as u64).collect::<Vec<_>>());
    }
}
