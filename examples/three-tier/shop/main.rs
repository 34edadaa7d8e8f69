//! The shop that the example deploys: `shop api` takes orders, `shop worker` copies them into the reports.
//!
//! It is as small as a service can be that still does what services do: TLS towards the load balancer, a connection to
//! PostgreSQL with a password, an event for each order.

mod api;
mod database;
mod events;
mod worker;

use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let role = std::env::args().nth(1).unwrap_or_default();
    let ended = match role.as_str() {
        "api" => api::serve().await,
        "worker" => worker::work().await,
        _ => Err(std::io::Error::other("say `shop api` or `shop worker`")),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("shop {role}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What the container's environment says.
fn setting(name: &str) -> std::io::Result<String> {
    std::env::var(name).map_err(|_| std::io::Error::other(format!("{name} is not set")))
}
