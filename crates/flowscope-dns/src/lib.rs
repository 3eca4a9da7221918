//! DNS messages over UDP and TCP for passive session tracking.
