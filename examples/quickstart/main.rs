//! The quickstart: needs nothing but Rust. It starts a small service of its own and writes a configuration file, asserts
//! both, and then shows what a failing assertion says.

use std::path::Path;

use clockwork_assert::{
    FileContentMatchesAssert, FilePermissionsAssert, HealthcheckAssert, PortAccessibleAssert,
    ResponseTimeAssert,
};
use clockwork_core::{Matcher, prelude::*};
use clockwork_drivers::{EndpointResource, FileResource, file::FileMode, prelude::*};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// What the deployment is meant to be.
fn project(port: u16, config: &Path) -> Project {
    let mut settings = FileResource::new("settings", config);
    if cfg!(unix) {
        settings = settings.assert(FilePermissionsAssert::default().mode(FileMode::exactly(0o640)));
    }
    let settings = settings.assert(FileContentMatchesAssert::default().toml("workers", Matcher::gte(2)));
    let service = EndpointResource::new("service")
        .url(format!("http://127.0.0.1:{port}"))
        .depends_on(&settings)
        .assert(HealthcheckAssert::new("/health").within(Duration::from_secs(10)))
        .assert(PortAccessibleAssert::new(port))
        .assert(ResponseTimeAssert::new("/", 500).severity(Severity::Warning))
        .assert(assertion("serves version 1.4", async |cx: Context| {
            let url =
                cx.resource_as::<EndpointResource>().and_then(EndpointResource::base_url).unwrap_or_default();
            let reply = cx.http().get(&format!("{url}/version")).await?;
            Ok((reply.text()? == "1.4", format!("it serves {}", reply.text()?)))
        }));
    Project::new("quickstart").with(settings).with(service)
}

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    tokio::spawn(serve(listener));
    let directory = std::env::temp_dir().join(format!("clockwork-quickstart-{}", std::process::id()));
    std::fs::create_dir_all(&directory)?;
    let config = directory.join("settings.toml");
    write_config(&config, "workers = 4\n")?;

    println!("A service on port {port} and its {}: is all as meant?\n", config.display());
    let meant = Engine::standard().assert(&project(port, &config)).await?;
    println!("{meant}");

    println!("Now somebody edits the file by hand:\n");
    write_config(&config, "workers = 1\n")?;
    let broken = Engine::standard().assert(&project(port, &config)).await?;
    println!("{broken}");

    std::fs::remove_dir_all(&directory)?;
    Ok(if meant.passed() && !broken.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn write_config(path: &Path, text: &str) -> std::io::Result<()> {
    std::fs::write(path, text)?;
    #[cfg(unix)]
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o640))?;
    Ok(())
}

/// A service small enough to be read at a glance.
async fn serve(listener: TcpListener) {
    while let Ok((mut connection, _)) = listener.accept().await {
        tokio::spawn(async move {
            let mut request = vec![0; 4096];
            let Ok(length @ 1..) = connection.read(&mut request).await else { return };
            let body = if request[..length].starts_with(b"GET /version ") { "1.4" } else { "ok" };
            let reply = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
            let _ = connection.write_all(reply.as_bytes()).await;
        });
    }
}
