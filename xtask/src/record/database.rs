//! Databases: PostgreSQL, MariaDB and Redis with their own clients.

use super::capture::Stamps;
use super::lab::{DIR, End, Lab};
use super::{Recipe, Then, tls};
use crate::Result;

pub(super) const RECIPES: &[Recipe] = &[
    Recipe {
        name: "postgresql.pcap",
        holds: "PostgreSQL: logins by SCRAM, MD5 and password in the clear, one over TLS, a query that is cancelled, and clients \
                with a wrong password, without a database and without a name that is known.",
        stamps: Stamps::Micro,
        make: postgresql,
        then: Then::Keep,
        expected: &[
            ("pgsql.authtype == 3", 1),
            ("pgsql.authtype == 5", 1),
            ("pgsql.authtype == 10", 2),
            ("pgsql.code == \"28P01\"", 1),
            ("pgsql.code == \"3D000\"", 1),
            ("pgsql.code == \"28000\"", 1),
            ("pgsql.code == \"57014\"", 1),
            ("tls.handshake.type == 1", 1),
        ],
    },
    Recipe {
        name: "mysql.pcap",
        holds: "MySQL, by MariaDB: logins with a password and without one, one over TLS, a wrong password, and a database that \
                the user may not see.",
        stamps: Stamps::Micro,
        make: mysql,
        then: Then::Keep,
        expected: &[
            ("mysql.server_greeting", 5),
            ("mysql.login_request", 5),
            ("mysql.error_code == 1044", 1),
            ("mysql.error_code == 1045", 1),
            ("tls.handshake.type == 1", 1),
        ],
    },
    Recipe {
        name: "redis.pcap",
        holds: "Redis: commands with replies of each type, errors, logins, RESP3, a subscription, and a transaction sent at once.",
        stamps: Stamps::Micro,
        make: redis,
        then: Then::Keep,
        expected: &[
            ("resp", 26),
            ("resp.error", 3),
            ("resp.bulk_string.value == \"SUBSCRIBE\"", 1),
        ],
    },
];

/// Starts a program as the user of PostgreSQL, which does not run as root.
const AS_POSTGRES: &str =
    "setpriv --reuid=postgres --regid=postgres --clear-groups /usr/lib/postgresql/15/bin";

fn postgresql(lab: &mut Lab) -> Result<()> {
    tls::certificate(lab)?;
    lab.file(
        "setup.sql",
        "create role new login password 'sesame';\ncreate role clear login password 'sesame';\n\
         set password_encryption = md5;\ncreate role old login password 'sesame';\n",
    )?;
    lab.file(
        "hba.conf",
        "local all all trust\nhost all clear 10.77.0.1/32 password\nhost all old 10.77.0.1/32 md5\n\
         host all new 10.77.0.1/32 scram-sha-256\n",
    )?;
    lab.prepare(
        End::Server,
        &format!("mkdir pg; chown postgres pg; {AS_POSTGRES}/initdb -D pg/data -U postgres -A trust -E UTF8 --no-sync"),
    )?;
    lab.prepare(
        End::Server,
        "cp hba.conf pg/data/pg_hba.conf; cp cert.pem key.pem pg/data; chown postgres pg/data/*; chmod 600 pg/data/key.pem",
    )?;
    lab.server(
        "tcp/5432",
        &format!(
            "{AS_POSTGRES}/postgres -D pg/data -c listen_addresses=10.77.0.2 -c unix_socket_directories={DIR}/pg -c fsync=off \
             -c ssl=on -c ssl_cert_file=cert.pem -c ssl_key_file=key.pem"
        ),
    )?;
    lab.prepare(End::Server, &format!("psql -q -h {DIR}/pg -U postgres -f setup.sql"))?;
    let connect = |options: &str| format!("psql 'host=10.77.0.2 {options}'");
    let plain = "dbname=postgres password=sesame sslmode=disable";
    for (user, ask) in
        [("new application_name=lab", "select 1"), ("old", "select 2"), ("clear", "select 3")]
    {
        lab.client(&format!("{} -c '{ask}'", connect(&format!("{plain} user={user}"))))?;
    }
    lab.client(&format!(
        "{} -c 'select 4'",
        connect("dbname=postgres user=new password=sesame sslmode=require")
    ))?;
    for options in [
        "dbname=postgres user=new password=wrong sslmode=disable",
        "dbname=none user=new password=sesame sslmode=disable",
        "dbname=postgres user=mallory password=sesame sslmode=disable",
    ] {
        lab.client(&format!("! {} -c 'select 5'", connect(options)))?;
    }
    lab.client(&format!(
        "! timeout -s INT 1 {} -c 'select pg_sleep(9)'",
        connect(&format!("{plain} user=new"))
    ))
}

fn mysql(lab: &mut Lab) -> Result<()> {
    tls::certificate(lab)?;
    lab.file(
        "setup.sql",
        "create database lab;\ncreate user alice@'%' identified by 'wonder';\n\
         grant all on lab.* to alice@'%';\ncreate user visitor@'%';\n",
    )?;
    lab.prepare(
        End::Server,
        &format!(
            "mariadb-install-db --no-defaults --user=root --datadir={DIR}/data --skip-test-db \
             --auth-root-authentication-method=normal"
        ),
    )?;
    lab.server(
        "tcp/3306",
        &format!(
            "mariadbd --no-defaults --user=root --datadir={DIR}/data --bind-address=10.77.0.2 --socket={DIR}/socket \
             --pid-file={DIR}/pid --init-file={DIR}/setup.sql --ssl-cert={DIR}/cert.pem --ssl-key={DIR}/key.pem \
             --skip-name-resolve"
        ),
    )?;
    // The port is open before the file with the users is read.
    lab.prepare(
        End::Server,
        &format!("until mariadb --no-defaults -S {DIR}/socket -u visitor -e 'select 0'; do sleep 0.1; done"),
    )?;
    let client = "mariadb --no-defaults -h 10.77.0.2";
    for line in [
        format!("{client} --skip-ssl -u alice -pwonder lab -e 'select 1'"),
        format!("{client} --skip-ssl -u visitor -e 'select 2'"),
        format!("! {client} --skip-ssl -u alice -pwrong lab -e 'select 3'"),
        format!("! {client} --skip-ssl -u alice -pwonder mysql -e 'select 4'"),
        format!("{client} --ssl --ssl-ca=cert.pem -u alice -pwonder -e 'select 5'"),
    ] {
        lab.client(&line)?;
    }
    Ok(())
}

fn redis(lab: &mut Lab) -> Result<()> {
    lab.file(
        "redis.conf",
        &format!("bind 10.77.0.2\nprotected-mode no\nport 6379\nsave \"\"\ndir {DIR}\nuser alice on >wonder ~* &* +@all\n"),
    )?;
    lab.server("tcp/6379", "redis-server redis.conf")?;
    let client = "redis-cli -h 10.77.0.2";
    for command in [
        "SET color blue EX 100",
        "GET color",
        "GET none",
        "RPUSH list a b c",
        "LRANGE list 0 -1",
        "HSET hash key value",
        "INCR color",
        "NONSENSE 1",
    ] {
        lab.client(&format!("{client} {command}"))?;
    }
    for line in [
        format!("{client} -3 --user alice --pass wonder --no-auth-warning HGETALL hash"),
        format!("{client} --user alice --pass wrong --no-auth-warning PING"),
        format!("(timeout 1 {client} SUBSCRIBE news || true) & sleep 0.4; {client} PUBLISH news hello; wait"),
        r"printf '*1\r\n$5\r\nMULTI\r\n*2\r\n$4\r\nINCR\r\n$5\r\ncount\r\n*1\r\n$4\r\nEXEC\r\n' | socat -t 2 - TCP:10.77.0.2:6379"
            .to_owned(),
    ] {
        lab.client(&line)?;
    }
    Ok(())
}
