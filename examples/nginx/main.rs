//! A web server in a container, asserted with the `clockwork` command that every Rust program gets in one call:
//!
//! ```sh
//! docker run --detach --name nginx-web --publish 8080:80 --publish 8443:443 nginx
//! cargo run --bin nginx -- assert
//! ```
//!
//! `HTTP_PORT` and `HTTPS_PORT` change the published ports.

use clockwork_assert::{ContainerRunningAssert, HealthcheckAssert, PortAccessibleAssert, ResponseTimeAssert};
use clockwork_core::prelude::*;
use clockwork_drivers::ContainerResource;

fn project() -> Project {
    let http = port("HTTP_PORT", 8080);
    let https = port("HTTPS_PORT", 8443);
    let nginx = ContainerResource::new("nginx-web")
        .description("Web server")
        .image("nginx")
        .ports([format!("{http}:80"), format!("{https}:443")])
        .assert(
            HealthcheckAssert::new(format!("http://localhost:{http}/health")).within(Duration::from_secs(30)),
        )
        .assert(ContainerRunningAssert::new())
        .assert(PortAccessibleAssert::new(http))
        .assert(PortAccessibleAssert::new(https))
        .assert(ResponseTimeAssert::new(format!("http://localhost:{http}"), 200).severity(Severity::Warning));
    Project::new("shop").with(nginx)
}

fn port(variable: &str, default: u16) -> u16 {
    std::env::var(variable).ok().and_then(|port| port.parse().ok()).unwrap_or(default)
}

fn main() -> ExitCode {
    clockwork_action::main(project())
}
