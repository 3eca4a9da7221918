//! How a NATS server proves who it is, and how this program does.

use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use clap::Args;

/// Options of TLS and of credentials, of each program that connects to a NATS server.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "NATS")]
pub struct LoginArgs {
    /// PEM file with the authorities that sign certificates of servers, instead of those of the system. TLS is required
    /// with it, as with a server tls://HOST:PORT
    #[arg(long, value_name = "FILE")]
    nats_tlsca: Option<PathBuf>,

    /// PEM file with the certificate of this program, and with those between it and the authority. TLS is required with it
    #[arg(long, value_name = "FILE", requires = "nats_tlskey")]
    nats_tlscert: Option<PathBuf>,

    /// PEM file with the private key of the certificate
    #[arg(long, value_name = "FILE", requires = "nats_tlscert")]
    nats_tlskey: Option<PathBuf>,

    /// NATS credentials file: the JWT of a user, and its seed
    #[arg(long, value_name = "FILE", conflicts_with_all = ["nats_user", "nats_token_file"])]
    nats_creds: Option<PathBuf>,

    /// User name
    #[arg(
        long,
        value_name = "NAME",
        requires = "nats_password_file",
        conflicts_with = "nats_token_file"
    )]
    nats_user: Option<String>,

    /// File with the password of the user
    #[arg(long, value_name = "FILE", requires = "nats_user")]
    nats_password_file: Option<PathBuf>,

    /// File with a token
    #[arg(long, value_name = "FILE")]
    nats_token_file: Option<PathBuf>,
}

/// What a server has to prove, and what it is shown, as it is in files.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct BrokerLogin {
    /// Certificates of authorities, in PEM; those of the system if there are none here.
    pub authorities: Option<LoginFile>,
    /// Certificates and the private key, in PEM.
    pub certificate: Option<(LoginFile, LoginFile)>,
    /// Who this program is.
    pub identity: Option<BrokerIdentity>,
}

/// Who a program is for a server.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum BrokerIdentity {
    /// A credentials file of NATS.
    Credentials(LoginFile),
    /// Name and password of a user.
    User(String, LoginFile),
    /// A token.
    Token(LoginFile),
}

/// A file that an option names, with at most 1 MiB. What is in it is never printed.
#[derive(Clone)]
pub struct LoginFile {
    option: &'static str,
    path: PathBuf,
    content: Vec<u8>,
}

/// Most bytes of a file.
const MAX_FILE: u64 = 1 << 20;

impl LoginArgs {
    /// Reads the files.
    ///
    /// # Errors
    ///
    /// If one cannot be read, or is larger than 1 MiB: with its option and its name.
    pub fn read(&self) -> io::Result<BrokerLogin> {
        let file = |option, path: &Option<PathBuf>| {
            path.as_deref().map(|path| LoginFile::read(option, path)).transpose()
        };
        let certificate = file("--nats-tlscert", &self.nats_tlscert)?;
        let password = file("--nats-password-file", &self.nats_password_file)?;
        let token = file("--nats-token-file", &self.nats_token_file)?;
        let user = self.nats_user.clone().zip(password);
        let identity = file("--nats-creds", &self.nats_creds)?.map(BrokerIdentity::Credentials);
        let identity = identity
            .or(user.map(|(name, password)| BrokerIdentity::User(name, password)))
            .or(token.map(BrokerIdentity::Token));
        Ok(BrokerLogin {
            authorities: file("--nats-tlsca", &self.nats_tlsca)?,
            certificate: certificate.zip(file("--nats-tlskey", &self.nats_tlskey)?),
            identity,
        })
    }

    /// Whether one of the options was given.
    pub(super) fn is_given(&self) -> bool {
        let LoginArgs {
            nats_tlsca,
            nats_tlscert,
            nats_tlskey,
            nats_creds,
            nats_user,
            nats_password_file,
            nats_token_file,
        } = self;
        let files = [
            nats_tlsca,
            nats_tlscert,
            nats_tlskey,
            nats_creds,
            nats_password_file,
            nats_token_file,
        ];
        nats_user.is_some() || files.iter().any(|file| file.is_some())
    }
}

impl LoginFile {
    fn read(option: &'static str, path: &Path) -> io::Result<Self> {
        let mut file = LoginFile { option, path: path.to_owned(), content: Vec::new() };
        let read = File::open(path)
            .and_then(|opened| opened.take(MAX_FILE + 1).read_to_end(&mut file.content));
        match read {
            Ok(len) if len as u64 > MAX_FILE => Err(file.error("more than 1 MiB")),
            Ok(_) => Ok(file),
            Err(error) => {
                Err(io::Error::new(error.kind(), format!("{option} {}: {error}", path.display())))
            }
        }
    }

    /// What is in it.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.content
    }

    /// The text in it.
    ///
    /// # Errors
    ///
    /// If it is no text in UTF-8.
    pub fn text(&self) -> io::Result<&str> {
        str::from_utf8(&self.content).map_err(|_| self.error("no text in UTF-8"))
    }

    /// The one line of text in it, without its end.
    ///
    /// # Errors
    ///
    /// If it is no text in UTF-8, has several lines, or is empty.
    pub fn line(&self) -> io::Result<&str> {
        let text = self.text()?;
        let line = text.strip_suffix('\n').unwrap_or(text);
        let line = line.strip_suffix('\r').unwrap_or(line);
        match line {
            "" => Err(self.error("empty")),
            _ if line.contains(['\n', '\r']) => Err(self.error("more than one line")),
            _ => Ok(line),
        }
    }

    /// The error that something is wrong with it: one of options.
    #[must_use]
    pub fn error(&self, what: &str) -> io::Error {
        let message = format!("{} {}: {what}", self.option, self.path.display());
        io::Error::new(ErrorKind::InvalidInput, message)
    }
}

impl fmt::Debug for LoginFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.option, self.path.display())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Program {
        #[command(flatten)]
        login: LoginArgs,
    }

    fn login(args: &[&str]) -> Result<LoginArgs, clap::Error> {
        let args = std::iter::once("program").chain(args.iter().copied());
        Program::try_parse_from(args).map(|program| program.login)
    }

    #[test]
    fn options_that_need_or_exclude_others() {
        for args in [
            &[][..],
            &["--nats-tlsca=a"],
            &["--nats-tlscert=a", "--nats-tlskey=b", "--nats-creds=c"],
            &["--nats-user=a", "--nats-password-file=b"],
            &["--nats-token-file=a"],
        ] {
            assert_eq!(login(args).unwrap().is_given(), !args.is_empty(), "{args:?}");
        }
        for args in [
            &["--nats-tlscert=a"][..],
            &["--nats-tlskey=a"],
            &["--nats-user=a"],
            &["--nats-password-file=a"],
            &["--nats-user=a", "--nats-password-file=b", "--nats-creds=c"],
            &["--nats-user=a", "--nats-password-file=b", "--nats-token-file=c"],
            &["--nats-token-file=a", "--nats-creds=c"],
        ] {
            assert!(login(args).is_err(), "{args:?}");
        }
    }

    #[test]
    fn a_secret_is_one_line_and_not_printed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let read = |content: &[u8]| {
            fs::write(&path, content).unwrap();
            let option = format!("--nats-token-file={}", path.display());
            let login = login(&[&option]).unwrap().read().unwrap();
            let printed = format!("{login:?}");
            assert!(printed.contains("token") && !printed.contains("secret"), "{printed}");
            match login.identity {
                Some(BrokerIdentity::Token(file)) => file.line().map(str::to_owned),
                other => panic!("{other:?}"),
            }
        };
        for text in ["secret", "secret\n", "secret\r\n"] {
            assert_eq!(read(text.as_bytes()).unwrap(), "secret");
        }
        assert_eq!(read(b" secret ").unwrap(), " secret ");
        for (text, part) in [
            (&b""[..], "empty"),
            (b"\n", "empty"),
            (b"secret\nsecret\n", "more than one line"),
            (b"secret\xff", "no text in UTF-8"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.ends_with(part) && !error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let (missing, large) = (folder.path().join("missing"), folder.path().join("large"));
        fs::write(&large, vec![b'a'; 1 << 20]).unwrap();
        let read =
            |path: &Path| login(&[&format!("--nats-creds={}", path.display())]).unwrap().read();
        read(&large).unwrap();
        fs::write(&large, vec![b'a'; (1 << 20) + 1]).unwrap();
        for path in [&missing, &large, &folder.path().to_owned()] {
            let error = read(path).unwrap_err().to_string();
            assert!(error.starts_with(&format!("--nats-creds {}: ", path.display())), "{error}");
        }
    }
}
