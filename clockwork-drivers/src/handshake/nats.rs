//! NATS, by its client protocol: `INFO` comes first, then `CONNECT` and `PING` have to bring `PONG`.

use clockwork_core::text::quote;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::{
    Step, Stopped,
    probe::Credentials,
    talk::{Greeting, Stream, Talk},
};

pub(super) async fn greet<S: Stream>(
    talk: &mut Talk<S>,
    login: Option<&Credentials>,
) -> Result<Greeting, Stopped> {
    greet_with(talk, login, false).await
}

/// The same; `asks`: requests will follow, and it is to be told when nobody answers one.
pub(crate) async fn greet_with<S: Stream>(
    talk: &mut Talk<S>,
    login: Option<&Credentials>,
    asks: bool,
) -> Result<Greeting, Stopped> {
    let line = talk.line().await?;
    let info = line.strip_prefix(b"INFO ").and_then(|json| serde_json::from_slice::<Value>(json).ok());
    let Some(info) = info else { return Err(talk.stranger()) };
    let server = info["version"].as_str().map(|version| format!("NATS {}", quote(version)));
    if info["tls_required"] == true {
        return Err(talk.stop(String::from("requires TLS, which this handshake does not speak")));
    }
    if login.is_none() && info["auth_required"] == true {
        return match asks {
            true => {
                let message = String::from("asks for credentials, and none are given");
                Err(Stopped { step: Step::Authentication, message })
            }
            false => Ok(Greeting { server, accepted: None }),
        };
    }
    let mut connect = json!({
        "verbose": false, "pedantic": false, "tls_required": false,
        "headers": asks, "no_responders": asks, "echo": false,
        "name": "clockwork", "lang": "rust", "version": env!("CARGO_PKG_VERSION"),
    });
    if let Some(Credentials { user, password, .. }) = login {
        let password = password.expose_secret();
        match user.is_empty() {
            true => connect["auth_token"] = password.into(),
            false => {
                connect["user"] = user.as_str().into();
                connect["pass"] = password.into();
            }
        }
    }
    talk.send(format!("CONNECT {connect}\r\nPING\r\n").as_bytes()).await?;
    loop {
        match talk.line().await? {
            reply if reply == b"PONG" => {
                return Ok(Greeting { server, accepted: login.map(|_| true) });
            }
            reply if reply.starts_with(b"-ERR") => {
                let reply = reply[4..].trim_ascii();
                return Err(match reply.to_ascii_lowercase().windows(4).any(|word| word == b"auth") {
                    true => talk.unwelcome(reply),
                    false => talk.stop(format!("answered {}", talk.quote(reply))),
                });
            }
            reply if reply == b"PING" => talk.send(b"PONG\r\n").await?,
            reply if reply.starts_with(b"INFO ") || reply == b"+OK" => {}
            _ => return Err(talk.stranger()),
        }
    }
}
