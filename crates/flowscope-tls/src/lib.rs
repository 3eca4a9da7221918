//! TLS handshake messages for passive session tracking: hellos, certificates, alerts, JA3, JA3S, JA4.
