/// Bounds of an [`HttpParser`](crate::HttpParser), and what it does with bodies.
///
/// ```
/// use flowscope_http::{Bodies, HttpConfig, HttpParser};
///
/// let config = HttpConfig::default().max_head(16 * 1024).bodies(Bodies::Collect(4096));
/// let parser = HttpParser::with_config(config);
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HttpConfig {
    pub(crate) max_head: usize,
    pub(crate) max_headers: usize,
    pub(crate) max_chunk_line: usize,
    pub(crate) max_pipelined: usize,
    pub(crate) max_search: u64,
    pub(crate) max_open_bytes: usize,
    pub(crate) max_held: usize,
    pub(crate) pipelining: bool,
    pub(crate) bodies: Bodies,
}

/// What is done with the bytes of bodies. Their lengths are counted whatever it is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Bodies {
    /// Nothing: no [`Body`](crate::Body) is made.
    #[default]
    Skip,
    /// Each piece becomes a [`Body`](crate::Body) as it comes. The one thing here that depends on
    /// how the stream was cut into segments.
    Spans,
    /// The first bytes of each body, at most this many, become one [`Body`](crate::Body) just before
    /// the message ends. Collecting stops at a gap.
    Collect(usize),
    /// Each is examined as it comes: [`MessageEnd::file`](crate::MessageEnd::file) has its type, length and SHA-256. At most
    /// 8 KiB of each side are held beside what is kept: of each body, at most this many first bytes, up to a gap.
    Files(usize),
}

impl HttpConfig {
    /// Bytes that a head, a trailer section or any line of them may have; a side that sends more is
    /// given up. Default 64 KiB; at least 64, at most 16 MiB.
    #[must_use]
    pub fn max_head(mut self, bytes: usize) -> Self {
        self.max_head = bytes.clamp(64, 1 << 24);
        self
    }

    /// Header lines that a head or a trailer section may have; a side that sends more is given up.
    /// Default 256.
    #[must_use]
    pub fn max_headers(mut self, lines: usize) -> Self {
        self.max_headers = lines;
        self
    }

    /// Bytes that a chunk-size line with its extensions may have; a side that sends more is given
    /// up. Default 4 KiB; at least 18, so that any size fits.
    #[must_use]
    pub fn max_chunk_line(mut self, bytes: usize) -> Self {
        self.max_chunk_line = bytes.clamp(18, 1 << 24);
        self
    }

    /// Requests that may wait for their response; those beyond are not paired. 4 bytes each in
    /// [`HttpParser`](crate::HttpParser). Default 65 536.
    #[must_use]
    pub fn max_pipelined(mut self, requests: usize) -> Self {
        self.max_pipelined = requests;
        self
    }

    /// Bytes of one side that are searched for a first message, when a flow does not begin with one,
    /// before the flow is given up as [not HTTP](flowscope_core::ParseError::NotTheProtocol).
    /// Default 1 MiB. The search for the next message after a gap has no such bound.
    #[must_use]
    pub fn max_search(mut self, bytes: u64) -> Self {
        self.max_search = bytes;
        self
    }

    /// Memory of exchanges that [`HttpExchanges`](crate::HttpExchanges) holds open, in bytes; beyond
    /// it the oldest are given out as they are. Default 8 MiB.
    #[must_use]
    pub fn max_open_bytes(mut self, bytes: usize) -> Self {
        self.max_open_bytes = bytes;
        self
    }

    /// Bytes of one side that wait for earlier ones of the other side, which their segments acknowledge
    /// and which were not captured yet; beyond it they are read, and not paired. Default 256 KiB.
    #[must_use]
    pub fn max_held(mut self, bytes: usize) -> Self {
        self.max_held = bytes;
        self
    }

    /// Whether clients may send a request before the one before it was answered. Default `true`:
    /// after a gap, responses are paired again once nothing is left that they could answer instead, or
    /// when acknowledgements show the connection in lockstep. With `false` the next request after a gap
    /// is taken as proof that all before it were answered, and pairing goes on with it.
    #[must_use]
    pub fn pipelining(mut self, allowed: bool) -> Self {
        self.pipelining = allowed;
        self
    }

    /// What is done with the bytes of bodies. Default [`Bodies::Skip`].
    #[must_use]
    pub fn bodies(mut self, bodies: Bodies) -> Self {
        self.bodies = bodies;
        self
    }
}

impl Default for HttpConfig {
    fn default() -> Self {
        HttpConfig {
            max_head: 64 * 1024,
            max_headers: 256,
            max_chunk_line: 4096,
            max_pipelined: 65_536,
            max_search: 1 << 20,
            max_open_bytes: 8 << 20,
            max_held: 256 << 10,
            pipelining: true,
            bodies: Bodies::Skip,
        }
    }
}
