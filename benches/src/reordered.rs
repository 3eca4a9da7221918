use flowscope_testkit::Rng;

use crate::Trace;
use crate::conversation::{Conversation, PAGE, Topic, What};
use crate::traces::{START, STEP, scaled};

/// Downloads whose segments do not all come in order, and what has to come out of them.
#[derive(Clone, Debug)]
pub struct Reordered {
    /// The packets.
    pub trace: Trace,
    /// Bytes of all streams, each counted once.
    pub bytes: u64,
    /// Payload bytes that came a second time.
    pub again: u64,
    /// HTTP requests, each with its response.
    pub exchanges: u64,
}

/// Responses of one flow.
const ROUNDS: u32 = 3;

/// Payload of a full segment.
const SEGMENT: u32 = 1460;

/// One packet of a flow, its numbers counted from where its sides begin.
#[derive(Clone, Copy)]
struct Line {
    from_client: bool,
    what: What,
    seq: u32,
    ack: u32,
}

impl Reordered {
    /// 2000 × `scale` flows with three downloads of 52 KB each. Of 1000 segments, `late` come one to three
    /// places late and half as many come again. The receiver acknowledges what it has: nothing that
    /// is missing.
    #[must_use]
    pub fn new(late: usize, scale: f64) -> Self {
        let mut rng = Rng::new(0x0005 + late as u64);
        let flows = scaled(2000.0, scale);
        let mut made = Reordered {
            trace: Trace::with_capacity(flows * 180, 1000),
            bytes: 0,
            again: 0,
            exchanges: 0,
        };
        let mut talking: Vec<(Conversation, Vec<Line>, usize)> = (0..flows)
            .map(|_| {
                let conversation = Conversation::new(Topic::Http, &mut rng);
                (conversation, made.script(late, &mut rng), 0)
            })
            .collect();
        let mut now = START;
        while !talking.is_empty() {
            let at = rng.below(talking.len());
            let (conversation, script, step) = &mut talking[at];
            let line = script[*step];
            *step += 1;
            now += STEP;
            let [client, server] = conversation.numbers();
            let (own, peer) = if line.from_client { (client, server) } else { (server, client) };
            let numbers = (own.wrapping_add(line.seq), peer.wrapping_add(line.ack));
            conversation.put(line.from_client, line.what, numbers, &mut made.trace, now);
            if *step == script.len() {
                talking.swap_remove(at);
            }
        }
        made
    }

    /// All packets of a flow.
    fn script(&mut self, late: usize, rng: &mut Rng) -> Vec<Line> {
        let mut lines = Vec::with_capacity(180);
        let (mut client, mut server) = (1, 1);
        let mut say =
            |from_client, what, seq, ack| lines.push(Line { from_client, what, seq, ack });
        say(true, What::Syn, 0, 0);
        say(false, What::SynAck, 0, 1);
        say(true, What::Ack, 1, 1);
        for _ in 0..ROUNDS {
            say(true, What::Ask, client, server);
            client += What::Ask.len();
            let order = order(late, rng);
            let mut came = [false; PAGE as usize];
            let mut ready = 0;
            for (nth, segment) in order.iter().enumerate() {
                let what = if *segment == 0 { What::Page } else { What::Full };
                say(false, what, server + segment * SEGMENT, client);
                came[*segment as usize] = true;
                while came.get(ready as usize) == Some(&true) {
                    ready += 1;
                }
                if nth % 2 == 1 || ready == PAGE {
                    say(true, What::Ack, client, server + ready * SEGMENT);
                }
            }
            server += PAGE * SEGMENT;
            self.again += (order.len() as u64 - u64::from(PAGE)) * u64::from(SEGMENT);
            self.exchanges += 1;
        }
        say(true, What::Fin, client, server);
        say(false, What::Fin, server, client + 1);
        say(true, What::Ack, client + 1, server + 1);
        self.bytes += u64::from(client + server - 2);
        lines
    }
}

/// The segments of a response as they come.
fn order(late: usize, rng: &mut Rng) -> Vec<u32> {
    let mut order: Vec<u32> = (0..PAGE).collect();
    for at in 0..order.len() {
        if rng.below(1000) < late {
            let to = (at + 1 + rng.below(3)).min(order.len() - 1);
            order[at..=to].rotate_left(1);
        }
    }
    for at in 0..order.len() {
        if rng.below(2000) < late {
            let to = (at + 1 + rng.below(4)).min(order.len());
            order.insert(to, order[at]);
        }
    }
    order
}
