//! The walk down the headers, from every link type, by every extractor.

use std::fmt::Debug;

use flowscope::core::{FlowExtractor, LinkType, PacketView, Timestamp};
use flowscope::extract::{AutoDetectEncap, FiveTuple, IpPair, MacPair};
use flowscope_testkit::samples;

/// The link types that can be read, and one that cannot.
const LINKS: [u16; 20] =
    [0, 1, 9, 10, 12, 14, 50, 51, 101, 104, 105, 107, 108, 113, 127, 228, 229, 239, 276, 999];

/// The first byte chooses the link type; a bit of the second, whether the frame was cut.
pub(crate) fn run(bytes: &[u8]) {
    let [link, cut, frame @ ..] = bytes else { return };
    let link = LinkType(LINKS[usize::from(*link) % LINKS.len()]);
    let mut view = PacketView::new(frame, link, Timestamp::from_secs(1));
    if cut & 1 == 1 {
        view = view.with_wire_len(frame.len() as u32 + u32::from(*cut) * 16);
    }
    extract(&AutoDetectEncap(FiveTuple::bidirectional()), view);
    extract(&FiveTuple::bidirectional(), view);
    extract(&IpPair, view);
    extract(&MacPair, view);
}

fn extract<E: FlowExtractor>(extractor: &E, view: PacketView<'_>)
where
    E::Key: Debug + PartialEq,
{
    let found = extractor.extract(view);
    let mut again = None;
    extractor.extract_into(&view, &mut again);
    let (Some(found), Some(again)) = (&found, &again) else {
        assert!(found.is_none() && again.is_none(), "both ways find a flow, or none does");
        let _ = (extractor.explain(view), extractor.unread(view));
        return;
    };
    assert_eq!((&found.key, found.orientation), (&again.key, again.orientation));
    let payload = found.payload;
    assert_eq!(payload.of(&view).len(), payload.captured as usize, "the payload is in the frame");
    assert!(payload.captured <= payload.wire_len);
    if let Some(quoted) = found.quoted(&view) {
        assert!(quoted.frame().len() <= view.frame().len());
        let _ = extractor.extract(quoted);
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let seed = |(_, packet): (_, flowscope_testkit::Packet)| {
        let link = LINKS.iter().position(|link| *link == packet.link.0)?;
        Some([&[link as u8, 0], &packet.bytes[..]].concat())
    };
    samples().into_iter().filter_map(seed).collect()
}
