//! Mail: Exim and Dovecot, with curl and Python as their clients.

use super::capture::Stamps;
use super::lab::{DIR, End, Lab};
use super::{Recipe, Then, tls};
use crate::Result;

pub(super) const RECIPES: &[Recipe] = &[
    Recipe {
        name: "smtp.pcap",
        holds: "SMTP: a letter for two, one behind a login, one behind STARTTLS, a wrong password, and a recipient that is refused.",
        stamps: Stamps::Micro,
        make: smtp,
        then: Then::Keep,
        expected: &[
            ("smtp.req.command == \"MAIL\"", 3),
            ("smtp.req.command == \"RCPT\"", 4),
            ("smtp.response.code == 235", 1),
            ("smtp.response.code == 535", 1),
            ("smtp.response.code == 550", 1),
            ("smtp.req.command == \"STAR\"", 1),
            ("imf.subject", 2),
        ],
    },
    Recipe {
        name: "imap.pcap",
        holds: "IMAP: logins by LOGIN, PLAIN and CRAM-MD5, a letter that is read, one that is stored, a search, STARTTLS, and a \
                wrong password.",
        stamps: Stamps::Micro,
        make: imap,
        then: Then::Keep,
        expected: &[
            ("imap.request.command == \"LOGIN\"", 2),
            ("imap.request.command == \"AUTHENTICATE\"", 3),
            ("imap.request.command == \"FETCH\"", 1),
            ("imap.request.command == \"APPEND\"", 1),
            ("imap.request.command == \"STARTTLS\"", 1),
            ("imap.response.status == \"NO\"", 1),
        ],
    },
    Recipe {
        name: "pop3.pcap",
        holds: "POP3: logins by USER and by SASL, letters that are listed, read and deleted, STLS, and a wrong password.",
        stamps: Stamps::Micro,
        make: pop3,
        then: Then::Keep,
        expected: &[
            ("pop.request.command == \"USER\"", 2),
            ("pop.request.command == \"AUTH\"", 2),
            ("pop.request.command == \"RETR\"", 1),
            ("pop.request.command == \"DELE\"", 1),
            ("pop.request.command == \"STLS\"", 1),
            ("pop.response.indicator == \"-ERR\"", 1),
        ],
    },
];

const LETTER: &str = "From: Bob <bob@lab.test>\r\nTo: alice@lab.test\r\nSubject: a letter\r\nMessage-ID: <1@lab.test>\r\n\
     Date: Mon, 5 Jan 2026 10:00:00 +0000\r\n\r\nHello.\r\n.\r\n..two dots\r\n";

/// Takes mail for lab.test, which it keeps in its queue.
const EXIM: &str = "\
primary_hostname = mail.lab.test
spool_directory = DIR/spool
log_file_path = DIR/log/%slog
pid_file_path = DIR/exim.pid
exim_user = root
exim_group = root
never_users =
host_lookup =
rfc1413_query_timeout = 0s
tls_advertise_hosts = *
tls_certificate = DIR/cert.pem
tls_privatekey = DIR/key.pem
acl_smtp_rcpt = recipients
acl_smtp_data = accept
acl_smtp_auth = accept
queue_only = true
message_size_limit = 100K
begin acl
recipients:
  deny domains = ! lab.test
       message = relay not permitted
  accept
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${if and{{eq{$auth2}{alice}}{eq{$auth3}{wonder}}}}
  server_set_id = $auth2
  server_advertise_condition = yes
";

/// Serves the two letters of one user.
const DOVECOT: &str = "\
protocols = imap pop3
listen = 10.77.0.2
base_dir = DIR/dovecot
log_path = /dev/stderr
ssl = yes
ssl_cert = <DIR/cert.pem
ssl_key = <DIR/key.pem
disable_plaintext_auth = no
auth_mechanisms = plain cram-md5
auth_failure_delay = 0
first_valid_uid = 1
mail_location = maildir:DIR/users/%u
passdb {
  driver = passwd-file
  args = scheme=plain username_format=%u DIR/passwords
}
userdb {
  driver = static
  args = uid=mail gid=mail home=DIR/users/%u
}
namespace inbox {
  inbox = yes
}
";

fn smtp(lab: &mut Lab) -> Result<()> {
    tls::certificate(lab)?;
    lab.file("exim.conf", &EXIM.replace("DIR", DIR))?;
    lab.file("letter.txt", LETTER)?;
    lab.prepare(End::Server, "mkdir spool log")?;
    lab.server("tcp/25", &format!("exim4 -C {DIR}/exim.conf -bdf -oX 25"))?;
    let send = |options: &str, to: &[&str]| {
        let to: Vec<String> = to.iter().map(|name| format!(" --mail-rcpt {name}")).collect();
        format!("curl -sS {options} --mail-from bob@lab.test{} -T letter.txt", to.concat())
    };
    let url = "smtp://10.77.0.2/desk.lab.test";
    let alice = "alice@lab.test";
    lab.client(&send(url, &[alice, "carol@lab.test"]))?;
    lab.client(&send(&format!("{url} -u alice:wonder"), &[alice]))?;
    lab.client(&send(
        "--ssl-reqd --cacert cert.pem --resolve lab.test:25:10.77.0.2 smtp://lab.test/desk.lab.test",
        &[alice],
    ))?;
    lab.client(&format!("! {}", send(&format!("{url} -u alice:wrong"), &[alice])))?;
    lab.client(&format!("! {}", send(url, &["mallory@example.com"])))
}

/// Serves mail on ports 143 and 110.
fn serve(lab: &mut Lab) -> Result<()> {
    tls::certificate(lab)?;
    lab.file("dovecot.conf", &DOVECOT.replace("DIR", DIR))?;
    lab.file("passwords", "alice:wonder\n")?;
    lab.file("letter.txt", LETTER)?;
    for folder in ["new/1", "new/2", "cur/none", "tmp/none"] {
        let letter = if folder.starts_with("new") { LETTER } else { "" };
        lab.file(&format!("users/alice/{folder}"), letter)?;
    }
    lab.prepare(
        End::Server,
        "rm users/alice/*/none; chown -R mail:mail users; chmod 644 passwords",
    )?;
    // The server says the name of its host.
    let server = "unshare --uts sh -c 'hostname mail; exec dovecot -F -c dovecot.conf'";
    lab.server("tcp/143", server)
}

/// Logs in without SASL, which curl does only if it must.
const IMAP: &str = "\
import imaplib, sys

client = imaplib.IMAP4('10.77.0.2')
client.login('alice', sys.argv[1])
client.select()
client.fetch('1:*', '(FLAGS RFC822.SIZE)')
client.store('1', '+FLAGS', '\\\\Flagged')
client.close()
client.logout()
";

const POP3: &str = "\
import poplib, sys

client = poplib.POP3('10.77.0.2')
client.user('alice')
client.pass_(sys.argv[1])
client.stat()
client.list()
client.dele(2)
client.quit()
";

fn imap(lab: &mut Lab) -> Result<()> {
    let url = "imap://10.77.0.2";
    let lines = [
        format!("'{url}/INBOX;MAILINDEX=1' {}", by("PLAIN")),
        format!("{url}/INBOX {} -X 'SEARCH UNSEEN'", by("CRAM-MD5")),
        format!("{url}/INBOX {} -T letter.txt", by("CRAM-MD5")),
        format!(
            "--ssl-reqd --cacert cert.pem --resolve lab.test:143:10.77.0.2 imap://lab.test/ {}",
            by("PLAIN")
        ),
    ];
    read_mail(lab, IMAP, &lines)
}

fn pop3(lab: &mut Lab) -> Result<()> {
    let url = "pop3://10.77.0.2";
    let lines = [
        format!("{url}/1 {}", by("PLAIN")),
        format!("{url}/ {} -X UIDL", by("CRAM-MD5")),
        format!(
            "--ssl-reqd --cacert cert.pem --resolve lab.test:110:10.77.0.2 pop3://lab.test/ {}",
            by("PLAIN")
        ),
    ];
    read_mail(lab, POP3, &lines)
}

/// Reads mail with curl, by these arguments, then with a program that logs in with the right password and a wrong one.
fn read_mail(lab: &mut Lab, program: &str, lines: &[String]) -> Result<()> {
    serve(lab)?;
    lab.file("client.py", program)?;
    for line in lines {
        lab.client(&format!("curl -sS {line}"))?;
    }
    lab.client("/usr/bin/python3 client.py wonder")?;
    lab.client("! /usr/bin/python3 client.py wrong")
}

/// The options of curl's for a login.
fn by(mechanism: &str) -> String {
    format!("-u alice:wonder --login-options AUTH={mechanism}")
}
