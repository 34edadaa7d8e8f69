//! STARTTLS: scripted servers for each protocol, judged by us and by `openssl s_client -starttls`, and a PostgreSQL.

use std::{sync::Arc, time::Duration};

use clockwork_assert::{SslCertificateAssert, TcpResponseAssert};
use clockwork_core::{AssertionExt, Matcher, Outcome};
use clockwork_drivers::starttls::StartTls;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use super::{
    forge::{Ca, Made, file, nothing},
    server::{config, s_client},
};
use crate::{run::check, server::Server};

/// One turn of a dialogue: what the server says, and up to which end it then listens.
type Turn = (&'static [u8], &'static [u8]);

/// Says and hears these, then shakes hands and says `secured`.
async fn scripted(own: &Made, turns: Vec<Turn>, last: &'static [u8]) -> Server {
    let acceptor = TlsAcceptor::from(Arc::new(config(&own.pem, &own.key)));
    let turns: Arc<[Turn]> = turns.into();
    Server::talking(move |mut stream, seen| {
        let (acceptor, turns) = (acceptor.clone(), Arc::clone(&turns));
        async move {
            for (say, hear) in turns.iter() {
                stream.write_all(say).await.unwrap();
                let mut heard = Vec::new();
                // Byte by byte: what follows may be the handshake already.
                while heard.len() < hear.len()
                    || !heard[heard.len() - hear.len()..].eq_ignore_ascii_case(hear)
                {
                    let Ok(byte) = stream.read_u8().await else { return };
                    heard.push(byte);
                }
                seen.lock().unwrap().push(String::from_utf8_lossy(&heard).into_owned());
            }
            let _ = stream.write_all(last).await;
            if let Ok(mut stream) = acceptor.accept(stream).await {
                let _ = stream.write_all(b"secured\r\n").await;
                let _ = stream.read(&mut [0; 64]).await;
            }
        }
    })
    .await
}

const MYSQL: &[u8] = b"\x4a\0\0\0\x0a8.0.36\0\x08\0\0\0abcdefgh\0\xff\xff\x21\x02\0\xff\xdf\x15\0\0\0\0\0\0\0\0\0\0abcdefghijkl\0caching_sha2_password\0";
const MYSQL_PLAIN: &[u8] = b"\x4a\0\0\0\x0a8.0.36\0\x08\0\0\0abcdefgh\0\xff\xf7\x21\x02\0\xff\xdf\x15\0\0\0\0\0\0\0\0\0\0abcdefghijkl\0caching_sha2_password\0";
const LDAP_OK: &[u8] = b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00";
const LDAP_NO: &[u8] = b"\x30\x1a\x02\x01\x01\x78\x15\x0a\x01\x02\x04\x00\x04\x0eunsupported op";

/// The dialogue of a server that agrees.
fn agreeing(protocol: StartTls) -> (Vec<Turn>, &'static [u8]) {
    match protocol {
        StartTls::Smtp => (
            vec![
                (b"220-mail.example\r\n220 ready\r\n", b"\r\n"),
                (b"250-mail.example\r\n250-PIPELINING\r\n250 STARTTLS\r\n", b"STARTTLS\r\n"),
            ],
            b"220 go on\r\n",
        ),
        StartTls::Imap => (
            vec![
                (b"* OK ready\r\n", b"CAPABILITY\r\n"),
                (b"* CAPABILITY IMAP4rev1 STARTTLS\r\na1 OK done\r\n", b"STARTTLS\r\n"),
            ],
            b"a2 OK begin\r\n",
        ),
        StartTls::Pop3 => (vec![(b"+OK ready\r\n", b"STLS\r\n")], b"+OK begin\r\n"),
        StartTls::Ftp => {
            (vec![(b"220-welcome\r\n  to this\r\n220 server\r\n", b"AUTH TLS\r\n")], b"234 begin\r\n")
        }
        StartTls::Postgres => (vec![(b"", b"\x04\xd2\x16\x2f")], b"S"),
        StartTls::Mysql => (vec![(MYSQL, b"\x01\x21\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0")], b""),
        StartTls::Ldap => (vec![(b"", b"1.3.6.1.4.1.1466.20037")], LDAP_OK),
        _ => unreachable!(),
    }
}

const ALL: [StartTls; 7] = [
    StartTls::Smtp,
    StartTls::Imap,
    StartTls::Pop3,
    StartTls::Ftp,
    StartTls::Postgres,
    StartTls::Mysql,
    StartTls::Ldap,
];

fn asserted(port: u16, protocol: StartTls) -> SslCertificateAssert {
    SslCertificateAssert::default().host("localhost").port(port).starttls(protocol)
}

#[tokio::test]
async fn each_protocol_goes_over_to_tls() {
    let root = Ca::root("root", nothing);
    let own = root.leaf(&["localhost"], nothing);
    let ca = file(&root.pem());
    for protocol in ALL {
        let (turns, last) = agreeing(protocol);
        let server = scripted(&own, turns, last).await;
        let port = server.address.port();
        let result = check(asserted(port, protocol).ca_file(&ca)).await;
        assert_eq!(result.verdict, Outcome::Passed, "{protocol:?}: {}", result.message);
        let expect = Matcher::equals("secured\r\n");
        let quiet = Duration::from_millis(50);
        let answer = TcpResponseAssert::new("localhost", port)
            .starttls(protocol)
            .ca_file(&ca)
            .expect(expect)
            .quiet(quiet);
        let result = check(answer).await;
        assert_eq!(result.verdict, Outcome::Passed, "{protocol:?}: {}", result.message);
        let unknown = check(asserted(port, protocol)).await;
        assert_eq!(unknown.verdict, Outcome::Failed, "{}", unknown.message);
        // OpenSSL gives its own tags to IMAP's commands, which a script does not know.
        if protocol != StartTls::Imap {
            let theirs =
                s_client(port, "localhost", ca.to_str().unwrap(), &["-starttls", protocol.as_str()]).await;
            assert_eq!(theirs, Ok(()), "{protocol:?}");
        }
    }
}

#[tokio::test]
async fn a_server_that_refuses_is_quoted() {
    let root = Ca::root("root", nothing);
    let own = root.leaf(&["localhost"], nothing);
    let ca = file(&root.pem());
    for (protocol, turns, last, expected) in [
        (
            StartTls::Smtp,
            vec![(&b"220 ready\r\n"[..], &b"\r\n"[..])],
            &b"250-mail\r\n250 SIZE 1000\r\n"[..],
            "does not offer STARTTLS: \"250-mail 250 SIZE 1000\"",
        ),
        (
            StartTls::Smtp,
            vec![],
            b"554 go away\x1b[2J\r\n",
            "did not begin its greeting with 220: \"554 go away\\u{1b}[2J\"",
        ),
        (
            StartTls::Smtp,
            vec![(b"220 ready\r\n", b"\r\n"), (b"250 STARTTLS\r\n", b"\r\n")],
            b"454 not now\r\n",
            "did not begin its answer to STARTTLS with 220: \"454 not now\"",
        ),
        (StartTls::Imap, vec![], b"* BYE\r\n", "did not begin its greeting with * OK: \"* BYE\""),
        (
            StartTls::Imap,
            vec![(b"* OK\r\n", b"\r\n")],
            b"* CAPABILITY IMAP4rev1\r\na1 OK\r\n",
            "does not offer STARTTLS: \"* CAPABILITY IMAP4rev1\"",
        ),
        (
            StartTls::Imap,
            vec![(b"* OK\r\n", b"\r\n"), (b"* CAPABILITY STARTTLS\r\na1 OK\r\n", b"\r\n")],
            b"a2 BAD no\r\n",
            "did not begin its answer to STARTTLS with OK: \"a2 BAD no\"",
        ),
        (
            StartTls::Pop3,
            vec![(b"+OK\r\n", b"\r\n")],
            b"-ERR what?\r\n",
            "did not begin its answer to STLS with +OK: \"-ERR what?\"",
        ),
        (
            StartTls::Ftp,
            vec![(b"220 hello\r\n", b"\r\n")],
            b"530 no TLS here\r\n",
            "did not begin its answer to AUTH TLS with 234: \"530 no TLS here\"",
        ),
        (StartTls::Postgres, vec![(b"", b"\x2f")], b"N", "refuses TLS (it answered SSLRequest with N)"),
        (
            StartTls::Postgres,
            vec![(b"", b"\x2f")],
            b"E\0\0\0\x10Mtoo many\0\0\0",
            "answered SSLRequest with an error: \"Mtoo many",
        ),
        (StartTls::Postgres, vec![(b"", b"\x2f")], b"HTTP", "does not speak PostgreSQL's protocol: \"H\""),
        (StartTls::Mysql, vec![], MYSQL_PLAIN, "offers no TLS (CLIENT_SSL is not among its capabilities)"),
        (
            StartTls::Mysql,
            vec![],
            b"\x10\0\0\0\xff\x6a\x04Host blocked!",
            "does not let this machine in: \"Host blocked!\"",
        ),
        (StartTls::Mysql, vec![], b"220 not mysql\r\n", "does not speak MySQL's protocol"),
        (StartTls::Ldap, vec![(b"", b"20037")], LDAP_NO, "refuses StartTLS with code 2: \"unsupported op\""),
        (StartTls::Ldap, vec![(b"", b"20037")], b"HTTP/1.1 400\r\n", "does not speak LDAP"),
    ] {
        let server = scripted(&own, turns, last).await;
        let result = check(asserted(server.address.port(), protocol).ca_file(&ca)).await;
        assert_eq!(result.verdict, Outcome::Failed, "{protocol:?}: {}", result.message);
        assert!(result.message.contains(expected), "{protocol:?}: {}", result.message);
        assert!(!result.message.contains('\x1b'), "{}", result.message);
        let turned = check(asserted(server.address.port(), protocol).ca_file(&ca).not()).await;
        assert_eq!(turned.verdict, Outcome::Errored, "a refusal says nothing about the certificate");
    }
}

/// What follows the consent in plain text is nobody's TLS (CVE-2011-0411 and its kin).
#[tokio::test]
async fn nothing_in_plain_text_follows_the_consent() {
    let root = Ca::root("root", nothing);
    let own = root.leaf(&["localhost"], nothing);
    let ca = file(&root.pem());
    for (protocol, last) in [
        (StartTls::Smtp, &b"220 go on\r\n250 injected\r\n"[..]),
        (StartTls::Imap, b"a2 OK begin\r\n* injected\r\n"),
        (StartTls::Pop3, b"+OK begin\r\n+OK injected\r\n"),
        (StartTls::Ftp, b"234 begin\r\n230 injected\r\n"),
        (StartTls::Postgres, b"Sinjected"),
        (StartTls::Ldap, b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00injected"),
    ] {
        let server = scripted(&own, agreeing(protocol).0, last).await;
        let result = check(asserted(server.address.port(), protocol).ca_file(&ca)).await;
        assert_eq!(result.verdict, Outcome::Failed, "{protocol:?}");
        let expected = "went on in plain text after it had agreed to TLS";
        assert!(
            result.message.contains(expected) && result.message.contains("injected"),
            "{}",
            result.message
        );
    }
}

/// Replies without end, and lines without end, are not read to their end.
#[tokio::test]
async fn replies_are_bounded() {
    for (first, expected) in
        [(&b"220-more\r\n"[..], "does not end its greeting"), (b"xxxxxxxxxxxxxxxx", "does not speak smtp")]
    {
        let server = Server::talking(move |mut stream, _| async move {
            while stream.write_all(&first.repeat(100)).await.is_ok() {}
        });
        let server = server.await;
        let result = check(asserted(server.address.port(), StartTls::Smtp)).await;
        assert_eq!(result.verdict, Outcome::Failed);
        assert!(result.message.contains(expected) && result.message.len() < 1000, "{}", result.message);
    }
}

/// A real PostgreSQL, with TLS and without.
#[tokio::test]
async fn postgresql_goes_over_to_tls() {
    let root = Ca::root("root", nothing);
    let own = root.leaf(&["localhost"], nothing);
    let ca = file(&root.pem());
    let Some(server) = postgres::Server::start(&own) else { return };
    let result = check(asserted(server.port, StartTls::Postgres).ca_file(&ca)).await;
    assert_eq!(result.verdict, Outcome::Passed, "{}", result.message);
    let options = ["-starttls", "postgres"];
    assert_eq!(s_client(server.port, "localhost", ca.to_str().unwrap(), &options).await, Ok(()));
    server.without_tls();
    let result = check(asserted(server.port, StartTls::Postgres).ca_file(&ca)).await;
    assert!(result.message.contains("refuses TLS"), "{}", result.message);
}

mod postgres {
    use std::{
        os::unix::{fs::PermissionsExt, process::CommandExt},
        path::{Path, PathBuf},
        process::{Child, Command, Stdio},
        time::Duration,
    };

    use super::Made;

    /// It ends when it is dropped.
    pub(super) struct Server {
        pub(super) port: u16,
        programs: PathBuf,
        directory: tempfile::TempDir,
        child: Child,
    }

    /// It refuses to run as root.
    fn command(program: &Path) -> Command {
        let mut command = Command::new(program);
        if nix::unistd::Uid::effective().is_root() {
            command.uid(65_534).gid(65_534);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    impl Server {
        /// `None` where no PostgreSQL is installed.
        pub(super) fn start(own: &Made) -> Option<Self> {
            let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
            let programs =
                versions.filter_map(Result::ok).map(|version| version.path().join("bin")).next()?;
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path();
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
            let data = path.join("data");
            let made = command(&programs.join("initdb"))
                .args(["--no-sync", "--auth=trust", "--username=test", "-D"])
                .arg(&data)
                .current_dir(path)
                .status();
            assert!(made.unwrap().success(), "initdb");
            for (name, content) in [("server.crt", &own.pem), ("server.key", &own.key)] {
                std::fs::write(data.join(name), content).unwrap();
                std::fs::set_permissions(data.join(name), std::fs::Permissions::from_mode(0o600)).unwrap();
                if nix::unistd::Uid::effective().is_root() {
                    std::os::unix::fs::chown(data.join(name), Some(65_534), Some(65_534)).unwrap();
                }
            }
            let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let settings = format!(
                "ssl = on\nport = {port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = ''\nfsync = off\n"
            );
            std::fs::write(data.join("postgresql.auto.conf"), settings).unwrap();
            let child =
                command(&programs.join("postgres")).arg("-D").arg(&data).current_dir(path).spawn().unwrap();
            let server = Self { port, programs, directory, child };
            server.wait();
            Some(server)
        }

        /// Until it accepts connections.
        fn wait(&self) {
            for _ in 0..200 {
                let ready = command(&self.programs.join("pg_isready"))
                    .args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()])
                    .status();
                if ready.unwrap().success() {
                    return;
                }
                std::thread::sleep(Duration::from_millis(50));
            }
            panic!("PostgreSQL did not start");
        }

        /// Turns TLS off.
        pub(super) fn without_tls(&self) {
            let data = self.directory.path().join("data");
            let file = data.join("postgresql.auto.conf");
            let settings = std::fs::read_to_string(&file).unwrap().replace("ssl = on", "ssl = off");
            std::fs::write(&file, settings).unwrap();
            let status = command(&self.programs.join("pg_ctl")).args(["reload", "-D"]).arg(&data).status();
            assert!(status.unwrap().success(), "pg_ctl reload");
            std::thread::sleep(Duration::from_millis(500));
        }
    }

    impl Drop for Server {
        fn drop(&mut self) {
            let data = self.directory.path().join("data");
            let _ = command(&self.programs.join("pg_ctl"))
                .args(["stop", "-m", "immediate", "-D"])
                .arg(data)
                .status();
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
