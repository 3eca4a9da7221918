use std::sync::Arc;

use flowscope_decrypt::{SecretSource, TlsDecryption};
use flowscope_driver::{ProtocolSet, Protocols};
use flowscope_record::Protocol;
use flowscope_tls::Tls;

use super::AppRecord;

/// The same protocols, with TLS that is decrypted where `secrets` has the secrets of a connection.
///
/// The protocol within TLS is chosen by ALPN or by its first bytes, and its records come beside that of TLS.
/// If TLS is not among the protocols, nothing is decrypted.
///
/// ```
/// use std::sync::Arc;
///
/// use flowscope::core::PacketSource;
/// use flowscope::decrypt::KeyLog;
/// use flowscope::driver::{Driver, SessionEvent};
/// use flowscope::extract::FiveTuple;
/// use flowscope::pcap::CaptureReader;
/// use flowscope::protocols::{self, AppRecord};
///
/// # let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data");
/// # let (path, keys) = (format!("{folder}/tls12-keys.pcap"), format!("{folder}/tls12-keys.txt"));
/// let mut log = KeyLog::new();
/// log.extend(&std::fs::read(keys)?);
/// let protocols = protocols::decrypting(protocols::registered::<AppRecord>(), Arc::new(log));
/// let mut driver = Driver::new(FiveTuple::bidirectional(), protocols);
/// let mut capture = CaptureReader::open(path)?;
/// while capture.next_batch(&mut |packets| driver.handle_batch(packets))? > 0 {}
/// # let mut requests = 0;
/// while let Some(event) = driver.poll_event() {
///     if let SessionEvent::Application { message: AppRecord::Http(request), .. } = event {
///         println!("{request:?}");
/// #       requests += 1;
///     }
/// }
/// # assert!(requests > 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn decrypting<M: From<AppRecord>, S: ProtocolSet<M>>(
    protocols: Protocols<M, S>,
    secrets: Arc<dyn SecretSource>,
) -> Protocols<M, S> {
    protocols.replace_stream(Tls::NAME, TlsDecryption::new(secrets), |record| {
        AppRecord::Tls(Box::new(record)).into()
    })
}
