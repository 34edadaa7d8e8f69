//! What is at the port and is no database, or one that means no good.

use std::time::Duration;

use clockwork_assert::{DatabaseConnectionAssert, QuerySuccessAssert};
use clockwork_core::{AssertionExt, Outcome};
use clockwork_drivers::sql::{Connection, DatabaseEngine};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::secret;
use crate::{
    run::{check, told},
    server::Server,
};

const CANARY: &str = "canary-9f3b";

fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
    [&[tag], &length[..], body].concat()
}

/// A server that answers each thing that is sent to it with the next of these; `@` stands for what was sent.
async fn answering(answers: Vec<Vec<u8>>) -> Server {
    Server::talking(move |mut stream, _| {
        let answers = answers.clone();
        async move {
            let mut heard = vec![0; 4096];
            for answer in answers {
                let read = stream.read(&mut heard).await.unwrap_or(0);
                let at = answer.iter().position(|byte| *byte == b'@');
                let answer = match at {
                    // An error message that repeats what was sent.
                    Some(_) => {
                        let said = String::from_utf8_lossy(&heard[..read]).replace('\0', "");
                        let said: String = said.chars().filter(|c| c.is_ascii_graphic()).collect();
                        let fields = format!("SFATAL\0C28P01\0Myou said {said} \x1b[31m\0Dindeed {said}\0\0");
                        message(b'E', fields.as_bytes())
                    }
                    None => answer,
                };
                if stream.write_all(&answer).await.is_err() {
                    return;
                }
            }
            let _ = stream.read(&mut heard).await;
        }
    })
    .await
}

fn connection(engine: DatabaseEngine, server: &Server) -> Connection {
    Connection {
        host: "127.0.0.1".into(),
        port: Some(server.address.port()),
        user: Some("admin".into()),
        password: Some(secret(CANARY)),
        ..Connection::new(engine)
    }
}

#[tokio::test]
async fn a_password_that_the_server_repeats_is_shown_nowhere() {
    let clear = message(b'R', &3_u32.to_be_bytes());
    let server = answering(vec![b"N".to_vec(), clear, b"@".to_vec()]).await;
    let connection = connection(DatabaseEngine::Postgresql, &server);
    for result in [
        check(DatabaseConnectionAssert::new().connection(connection.clone())).await,
        check(DatabaseConnectionAssert::new().connection(connection.clone()).not()).await,
        check(QuerySuccessAssert::new("SELECT 1").connection(connection)).await,
    ] {
        assert!(!format!("{result:?}").contains(CANARY), "{result:?}");
        assert!(!result.message.contains('\x1b'));
        if result.verdict != Outcome::Passed {
            assert!(result.message.contains("[secret]"), "{}", result.message);
        }
    }
}

#[tokio::test]
async fn what_a_server_refuses_of_ours_judges_no_statement() {
    let ready = message(b'Z', b"I");
    let welcome = [message(b'R', &0_u32.to_be_bytes()), ready.clone()].concat();
    let refused = message(b'E', b"SERROR\0C22023\0Minvalid value for statement_timeout\0\0");
    let begun = message(b'C', b"BEGIN\0");
    let rolled_back = message(b'C', b"ROLLBACK\0");
    let failed = [begun, refused, message(b'Z', b"E")].concat();
    let server = answering(vec![b"N".to_vec(), welcome, failed, [rolled_back, ready].concat()]).await;
    let query =
        || QuerySuccessAssert::new("SELECT 1").connection(connection(DatabaseEngine::Postgresql, &server));
    for result in [check(query()).await, check(query().not()).await] {
        let message = told(&result, Outcome::Errored);
        assert!(message.contains("cannot be held to its limits: the database refused"), "{message}");
    }
}

/// One that refuses whatever it is asked, as if a transaction had stayed that cannot be ended.
#[tokio::test]
async fn a_server_that_leaves_everything_out_is_not_asked_for_ever() {
    let ready = message(b'Z', b"I");
    let welcome = [message(b'R', &0_u32.to_be_bytes()), ready].concat();
    let left_out = [message(b'E', b"SERROR\0C25P02\0Maborted\0\0"), message(b'Z', b"E")].concat();
    let answers = [vec![b"N".to_vec(), welcome], vec![left_out; 50]].concat();
    let server = answering(answers).await;
    let query =
        || QuerySuccessAssert::new("SELECT 1").connection(connection(DatabaseEngine::Postgresql, &server));
    assert_ne!(check(query()).await.verdict, Outcome::Passed);
    told(&check(query().not()).await, Outcome::Errored);
}

#[tokio::test]
async fn what_is_no_postgresql_is_said_to_be_none() {
    let http = b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec();
    let oversized = [&b"R"[..], &[0x7f, 0xff, 0xff, 0xff]].concat();
    let trusted = [
        message(b'R', &0_u32.to_be_bytes()),
        message(b'S', b"server_version\x0015.6\x1b[31m\0"),
        message(b'Z', b"I"),
    ]
    .concat();
    for (answers, words) in [
        (vec![http], "does not speak PostgreSQL: its answer begins with \"HTTP/1.1 400 Bad Request"),
        (vec![b"N".to_vec(), oversized], "does not speak PostgreSQL as it should"),
        (
            vec![b"N".to_vec(), message(b'R', &99_u32.to_be_bytes())],
            "asks for a login by a way that is not known here",
        ),
        (vec![b"N".to_vec(), message(b'R', b"x")], "asks for a login by a way that is not known here"),
        (vec![b"N".to_vec(), message(b'D', b"")], "it answers what was not asked"),
    ] {
        let server = answering(answers).await;
        let assertion =
            || DatabaseConnectionAssert::new().connection(connection(DatabaseEngine::Postgresql, &server));
        let result = check(assertion()).await;
        assert!(told(&result, Outcome::Failed).contains(words), "{}", result.message);
        told(&check(assertion().not()).await, Outcome::Passed);
    }
    let server = answering(vec![b"N".to_vec(), trusted.clone()]).await;
    let result =
        check(DatabaseConnectionAssert::new().connection(connection(DatabaseEngine::Postgresql, &server)))
            .await;
    told(&result, Outcome::Passed);
    // It lets us in, and answers a question with nonsense.
    for nonsense in
        [message(b'T', b"\0\x05"), [message(b'T', b"\0\0"), message(b'D', b"\0\x01\0\0\0\x63")].concat()]
    {
        let server = answering(vec![b"N".to_vec(), trusted.clone(), nonsense]).await;
        let asked =
            QuerySuccessAssert::new("SELECT 1").connection(connection(DatabaseEngine::Postgresql, &server));
        let result = check(asked).await;
        assert!(told(&result, Outcome::Failed).contains("broke the protocol"), "{}", result.message);
    }
}

#[tokio::test]
async fn a_black_hole_is_no_answer_in_time() {
    let server = answering(vec![Vec::new()]).await;
    for engine in [DatabaseEngine::Postgresql, DatabaseEngine::Mysql] {
        if engine == DatabaseEngine::Mysql && cfg!(not(feature = "mysql")) {
            continue;
        }
        // On a busy machine, less passes before the server is even reached.
        let patience = Duration::from_secs(3);
        let assertion = || DatabaseConnectionAssert::new().connection(connection(engine, &server));
        let result = check(assertion().timeout(patience)).await;
        let message = told(&result, Outcome::Failed);
        assert!(
            message.contains("no answer within 3") && message.contains("waiting for it to let user"),
            "{message}"
        );
        told(&check(assertion().timeout(patience).not()).await, Outcome::Passed);
    }
}

#[tokio::test]
#[cfg(feature = "mysql")]
async fn what_is_no_mysql_is_said_to_be_none() {
    for greeting in [&b"SSH-2.0-OpenSSH_9.2p1 Debian\r\n"[..], b"HTTP/1.1 400 Bad Request\r\n\r\n"] {
        let server = Server::talking(move |mut stream, _| async move {
            let _ = stream.write_all(greeting).await;
            let _ = stream.shutdown().await;
            let _ = stream.read(&mut [0; 64]).await;
        })
        .await;
        let assertion =
            DatabaseConnectionAssert::new().connection(connection(DatabaseEngine::Mysql, &server));
        let result = check(assertion).await;
        told(&result, Outcome::Failed);
        assert!(!format!("{result:?}").contains(CANARY));
    }
}
