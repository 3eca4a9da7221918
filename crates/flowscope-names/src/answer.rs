/// What a signature says of the start of a stream, or of a datagram.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Answer {
    /// It is the protocol, on any port.
    Yes,
    /// Too few bytes.
    Maybe,
    /// It is the protocol if the port is.
    OnPort,
    /// It is not.
    No,
}
