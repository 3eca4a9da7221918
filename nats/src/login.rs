//! The connection to servers: how they prove who they are, and how this program does.

use std::collections::BTreeSet;
use std::error::Error;
use std::io::{self, ErrorKind};
use std::sync::Arc;

use async_nats::rustls::crypto::ring;
use async_nats::rustls::pki_types::pem::{Error as PemError, PemObject as _};
use async_nats::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use async_nats::rustls::{self, ClientConfig, RootCertStore};
use async_nats::{Client, ConnectError, ConnectErrorKind, ConnectOptions, ServerAddr};
use flowscope_cli::{BrokerIdentity, BrokerLogin, LoginFile};
use percent_encoding::percent_decode_str;

/// The addresses in a list with commas.
pub(crate) fn servers(url: &str) -> io::Result<Vec<ServerAddr>> {
    url.split(',').map(str::parse).collect()
}

/// How to connect to these servers.
///
/// # Errors
///
/// If a file is not what it should be, or there are several identities: of the kind [`ErrorKind::InvalidInput`].
pub(crate) fn options(servers: &[ServerAddr], login: &BrokerLogin) -> io::Result<ConnectOptions> {
    let options = identified(ConnectOptions::new(), servers, login)?;
    let BrokerLogin { authorities, certificate, .. } = login;
    if authorities.is_none() && certificate.is_none() {
        return Ok(options);
    }
    let config = tls(authorities.as_ref(), certificate.as_ref())?;
    // A server, or what is between, cannot decline it.
    Ok(options.tls_client_config(config).require_tls(true))
}

/// Connects. If no server can be reached, that goes on behind what is returned.
///
/// # Errors
///
/// If a server refuses this program, or has no certificate that is accepted.
pub(crate) async fn connect(
    servers: Vec<ServerAddr>,
    options: ConnectOptions,
) -> io::Result<Client> {
    let first = options.clone().connect(servers.clone()).await;
    let Err(error) = first else { return first.map_err(io::Error::other) };
    if let Some(why) = refusal(&error) {
        return Err(io::Error::new(ErrorKind::PermissionDenied, why));
    }
    options.retry_on_initial_connect().connect(servers).await.map_err(io::Error::other)
}

/// With the one identity that is in the options or in the addresses.
fn identified(
    options: ConnectOptions,
    servers: &[ServerAddr],
    login: &BrokerLogin,
) -> io::Result<ConnectOptions> {
    let named: BTreeSet<_> = servers
        .iter()
        .filter_map(|server| server.username().map(|user| (user, server.password())))
        .collect();
    if named.len() + usize::from(login.identity.is_some()) > 1 {
        return Err(invalid("the addresses of servers and the options name more than one user"));
    }
    if let Some((user, password)) = named.first() {
        let user = decoded(user)?;
        return Ok(match password {
            Some(password) => options.user_and_password(user, decoded(password)?),
            // As in other clients of NATS.
            None => options.token(user),
        });
    }
    Ok(match &login.identity {
        Some(BrokerIdentity::Credentials(file)) => {
            options.credentials(file.text()?).map_err(|error| file.error(&error.to_string()))?
        }
        Some(BrokerIdentity::User(name, password)) => {
            options.user_and_password(name.clone(), password.line()?.to_owned())
        }
        Some(BrokerIdentity::Token(token)) => options.token(token.line()?.to_owned()),
        _ => options,
    })
}

/// A part of an address without its escapes.
fn decoded(text: &str) -> io::Result<String> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map(Into::into).map_err(|_| invalid("a user or a password in an address is no UTF-8"))
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, what)
}

/// TLS with these authorities, or with those of the system.
fn tls(
    authorities: Option<&LoginFile>,
    certificate: Option<&(LoginFile, LoginFile)>,
) -> io::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    match authorities {
        Some(file) => {
            for certificate in certificates(file)? {
                roots.add(certificate).map_err(|error| file.error(&error.to_string()))?;
            }
        }
        None => {
            let system = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(system.certs);
        }
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(io::Error::other)?;
    let builder = builder.with_root_certificates(roots);
    let Some((chain, key)) = certificate else { return Ok(builder.with_no_client_auth()) };
    let private = PrivateKeyDer::from_pem_slice(key.bytes()).map_err(|error| match error {
        PemError::NoItemsFound => key.error("no private key in PEM"),
        // Others might show what is in it.
        _ => key.error("damaged PEM"),
    })?;
    let chain = certificates(chain)?;
    builder
        .with_client_auth_cert(chain, private)
        .map_err(|error| key.error(&format!("not the key of the certificate: {error}")))
}

/// The certificates in a file, at least one.
fn certificates(file: &LoginFile) -> io::Result<Vec<CertificateDer<'static>>> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(file.bytes()).collect();
    let all = all.map_err(|_| file.error("damaged PEM"))?;
    if all.is_empty() {
        return Err(file.error("no certificate in PEM"));
    }
    Ok(all)
}

/// Why a server and this program do not accept each other, if that is what the error says.
fn refusal(error: &ConnectError) -> Option<String> {
    match error.kind() {
        ConnectErrorKind::AuthorizationViolation => {
            Some("the server refuses this user, or asks for one: authorization violation".into())
        }
        ConnectErrorKind::Authentication => Some("the seed of the credentials is of no use".into()),
        kind => match tls_error(error) {
            Some(error) => Some(format!("TLS: {error}")),
            None => (kind == ConnectErrorKind::Tls).then(|| error.to_string()),
        },
    }
}

/// The error of TLS that is behind another.
fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref() {
            return Some(error);
        }
        // What is within an error of I/O is not its source.
        let within = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = within.map(|error| error as &(dyn Error + 'static)).or_else(|| error.source());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_servers_have_commas() {
        let hosts = |url: &str| {
            let servers = servers(url).ok()?;
            Some(
                servers.iter().map(|it| format!("{}:{}", it.host(), it.port())).collect::<Vec<_>>(),
            )
        };
        let expected = ["a:1".to_owned(), "b:4222".to_owned()];
        assert_eq!(hosts("nats://a:1,tls://b").as_deref(), Some(&expected[..]));
        assert_eq!(hosts("nats://a:1,http://b"), None);
    }

    #[test]
    fn addresses_name_one_user() {
        let check = |url: &str, is_fine: bool| {
            let options = options(&servers(url).unwrap(), &BrokerLogin::default());
            assert_eq!(options.is_ok(), is_fine, "{url}");
        };
        check("nats://a,nats://b", true);
        check("nats://me:secret@a,nats://b", true);
        check("nats://me:secret@a,nats://me:secret@b", true);
        check("nats://token@a", true);
        check("nats://me:secret@a,nats://me:other@b", false);
        check("nats://me:secret@a,nats://me@b", false);
        check("nats://me:%ff@a", false);
    }

    #[test]
    fn an_error_of_tls_is_found_behind_others() {
        let tls = || rustls::Error::HandshakeNotComplete;
        let within = io::Error::new(ErrorKind::InvalidData, tls());
        let behind = ConnectError::with_source(ConnectErrorKind::Io, within);
        assert_eq!(tls_error(&behind), Some(&tls()));
        assert!(refusal(&behind).is_some());
        let other = ConnectError::with_source(ConnectErrorKind::Io, io::Error::other("broken"));
        assert_eq!(refusal(&other), None);
    }
}
