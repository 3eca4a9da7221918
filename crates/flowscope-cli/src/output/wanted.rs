use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use flowscope::core::Orientation;
use flowscope::extract::FiveTupleKey;
use flowscope::track::FlowId;

/// Which conversation is asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Wanted {
    /// The flow that began with this packet.
    Flow(u64),
    /// Flows with this Community ID of this seed.
    Community(String, u16),
    /// Flows between these ends, in whichever order.
    Ends(Box<[(IpAddr, Option<u16>); 2]>),
}

impl Wanted {
    /// With this seed of Community IDs; 0 by default.
    pub(crate) fn seed(self, seed: u16) -> Self {
        match self {
            Wanted::Community(text, _) => Wanted::Community(text, seed),
            other => other,
        }
    }

    /// Whether this flow is it.
    pub(crate) fn is(&self, id: FlowId, key: &FiveTupleKey) -> bool {
        match self {
            Wanted::Flow(wanted) => id.0 == *wanted,
            Wanted::Community(wanted, seed) => key.community_id(*seed).to_string() == *wanted,
            Wanted::Ends(wanted) => {
                let (a, b) = key.endpoints(Orientation::Forward);
                let ends = [(a.addr, a.port), (b.addr, b.port)];
                let fits = |ends: [(IpAddr, Option<u16>); 2]| {
                    ends.iter().zip(wanted.iter()).all(|(is, wanted)| {
                        is.0 == wanted.0 && (wanted.1.is_none() || is.1 == wanted.1)
                    })
                };
                fits(ends) || fits([ends[1], ends[0]])
            }
        }
    }
}

impl FromStr for Wanted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(id) = text.parse() {
            return Ok(Wanted::Flow(id));
        }
        if text.starts_with("1:") && text.len() == 30 {
            return Ok(Wanted::Community(text.to_owned(), 0));
        }
        let ends = ["<->", "->", "-", ",", " "].into_iter().find_map(|between| {
            let (a, b) = text.split_once(between)?;
            Some(Box::new([end(a.trim())?, end(b.trim())?]))
        });
        ends.map(Wanted::Ends).ok_or_else(|| {
            format!(
                "{text}: expected a flow id, a Community ID or two ends, as in \
                 10.0.0.1:40000-10.0.0.2:80"
            )
        })
    }
}

/// An address, with a port or without.
fn end(text: &str) -> Option<(IpAddr, Option<u16>)> {
    if let Ok(end) = text.parse::<SocketAddr>() {
        return Some((end.ip(), Some(end.port())));
    }
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().map(|addr| (addr, None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversations_have_many_names() {
        let check = |text: &str, expected: Option<&str>| {
            let parsed = text.parse::<Wanted>().ok().map(|wanted| format!("{wanted:?}"));
            assert_eq!(parsed.as_deref(), expected, "{text}");
        };
        check("7", Some("Flow(7)"));
        let community = "1:wCb3OG7yAFWelaUydu0D+125CLM=";
        check(community, Some(&format!("Community({community:?}, 0)")));
        let ends = "Ends([(10.0.0.1, Some(1)), (10.0.0.2, Some(80))])";
        check("10.0.0.1:1-10.0.0.2:80", Some(ends));
        check("10.0.0.1:1 <-> 10.0.0.2:80", Some(ends));
        check("10.0.0.1:1,10.0.0.2:80", Some(ends));
        check("[::1]:5-[::2]:6", Some("Ends([(::1, Some(5)), (::2, Some(6))])"));
        check("::1 - 10.0.0.2", Some("Ends([(::1, None), (10.0.0.2, None)])"));
        check("example.org", None);
        check("10.0.0.1:1-", None);
        check("", None);
    }
}
