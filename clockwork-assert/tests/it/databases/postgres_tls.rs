//! Encrypted connections to a real PostgreSQL server.

use clockwork_assert::{DatabaseConnectionAssert, QuerySuccessAssert};
use clockwork_core::Outcome;
use clockwork_drivers::sql::{Connection, TlsMode};

use super::postgres_server::{PASSWORD, Postgres};
use crate::run::{check, directory, told};

#[tokio::test]
async fn tls_is_what_it_is_asked_to_be() {
    let server = Postgres::start();
    let (_kept, elsewhere) = directory();
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap().cert.pem();
    std::fs::write(elsewhere.join("other.crt"), other).unwrap();
    let ours = server.certificate();
    let others = elsewhere.join("other.crt");
    for (tls, ca_file, host, passes, words) in [
        (None, None, "localhost", true, "with TLS 1.3"),
        (Some(TlsMode::Require), None, "localhost", true, "with TLS 1.3"),
        (Some(TlsMode::VerifyFull), Some(&ours), "localhost", true, "with TLS 1.3"),
        (None, Some(&ours), "localhost", true, "with TLS 1.3"),
        (Some(TlsMode::VerifyFull), None, "localhost", false, "no TLS with localhost:"),
        (Some(TlsMode::VerifyFull), Some(&others), "localhost", false, "no TLS with localhost:"),
        (
            Some(TlsMode::VerifyFull),
            Some(&ours),
            "127.0.0.1",
            false,
            "its certificate is not for \"127.0.0.1\"",
        ),
    ] {
        let connection =
            Connection { tls, ca_file: ca_file.cloned(), host: host.into(), ..server.as_user("tls_only") };
        let result = check(DatabaseConnectionAssert::new().connection(connection)).await;
        let message = told(&result, if passes { Outcome::Passed } else { Outcome::Failed });
        assert!(message.contains(words), "{message}");
        let mode = match (tls, ca_file) {
            (Some(TlsMode::VerifyFull), _) | (None, Some(_)) => "verify-full",
            _ => "require",
        };
        let root = ca_file.map_or("system-has-none".into(), |file| file.display().to_string());
        let more = format!(
            "sslmode={mode} sslrootcert={root} {}",
            if host == "localhost" { "" } else { "host=127.0.0.1" }
        );
        if mode == "verify-full" {
            assert_eq!(
                server.lets_in("tls_only", PASSWORD, "shop", &more),
                passes,
                "psql does not agree: {more}"
            );
        }
    }
    // The login is bound to the TLS connection: whoever may only come so, comes.
    let bound = QuerySuccessAssert::new("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
        .connection(server.as_user("admin"))
        .value(true);
    told(&check(bound).await, Outcome::Passed);
    assert!(server.lets_in("admin", PASSWORD, "shop", "channel_binding=require"));

    let plain = Postgres::with(&["ssl=off"], true);
    let require = Connection { tls: Some(TlsMode::Require), ..plain.as_user("admin") };
    let result = check(DatabaseConnectionAssert::new().connection(require)).await;
    let message = told(&result, Outcome::Failed);
    assert!(message.contains("offers no TLS, and `tls` asks for it"), "{message}");
    let prefer = check(DatabaseConnectionAssert::new().connection(plain.as_user("admin"))).await;
    assert!(told(&prefer, Outcome::Passed).contains("in clear"), "{}", prefer.message);
    let missing = Connection { ca_file: Some("/no/such/ca.pem".into()), ..server.as_user("admin") };
    told(&check(DatabaseConnectionAssert::new().connection(missing)).await, Outcome::Errored);
}
