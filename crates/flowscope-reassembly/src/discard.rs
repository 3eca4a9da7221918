use flowscope_core::StreamSink;

/// A [`StreamSink`] that ignores everything.
///
/// For reassemblers that pass the bytes on by themselves, such as the callback shape of a protocol.
#[derive(Clone, Copy, Debug, Default)]
pub struct Discard;

impl StreamSink for Discard {
    fn bytes(&mut self, _at: u64, _bytes: &[u8]) {}
    fn gap(&mut self, _at: u64, _len: u64) {}
}
