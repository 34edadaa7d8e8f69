//! PortAccessibleAssert against sockets that listen, refuse and keep silent.

use std::time::Duration;

use clockwork_assert::{PortAccessibleAssert, Transport};
use clockwork_core::{AssertionExt, Engine, Outcome, Project, ResourceExt};
use clockwork_drivers::EndpointResource;
use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};

use crate::server::{judged, nobody};

/// Whether `ss` sees a listener there.
fn listens(port: u16, udp: bool) -> Option<bool> {
    let flags = if udp { "-Hlun" } else { "-Hltn" };
    let output = std::process::Command::new("ss").args([flags, &format!("sport = :{port}")]).output().ok()?;
    Some(!output.stdout.is_empty())
}

#[tokio::test]
async fn accepted_refused_and_silent_are_told_apart() {
    let open = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = open.local_addr().unwrap().port();
    let result = judged(PortAccessibleAssert::new(port).host("127.0.0.1")).await;
    assert_eq!(
        (result.verdict, &*result.message),
        (Outcome::Passed, &*format!("127.0.0.1:{port} accepted the connection"))
    );
    assert_eq!(&*result.label, format!("127.0.0.1:{port}"));
    assert_eq!(result.details()["addresses"][0]["outcome"], "accepted");
    assert_ne!(listens(port, false), Some(false));

    let closed = nobody().await.port();
    let result = judged(PortAccessibleAssert::new(closed).host("127.0.0.1")).await;
    assert_eq!(result.verdict, Outcome::Failed);
    assert!(
        result.message.starts_with(&format!("127.0.0.1:{closed} refused the connection; nothing listens")),
        "{}",
        result.message
    );
    assert_ne!(listens(closed, false), Some(true));
    assert_eq!(judged(PortAccessibleAssert::new(closed).not()).await.verdict, Outcome::Passed);

    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let full = socket.listen(0).unwrap();
    let address = full.local_addr().unwrap();
    let _filling = TcpStream::connect(address).await.unwrap();
    let silent = judged(PortAccessibleAssert::new(address.port()).host("127.0.0.1")).await;
    assert_eq!(silent.verdict, Outcome::Failed);
    assert!(silent.message.contains("filtered by a firewall, or no such machine"), "{}", silent.message);
    assert!(!silent.message.contains("refused"), "{}", silent.message);

    let unknown = || PortAccessibleAssert::new(80).host("no-such-host.invalid");
    let result = judged(unknown().timeout(Duration::from_secs(20))).await;
    assert_eq!(result.verdict, Outcome::Failed, "{}", result.message);
    let result = judged(unknown().not().timeout(Duration::from_secs(20))).await;
    assert_eq!(result.verdict, Outcome::Errored, "a typing error proves nothing: {}", result.message);
}

#[tokio::test]
async fn udp_says_what_can_be_known() {
    let bound = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = bound.local_addr().unwrap().port();
    let udp = |port| PortAccessibleAssert::new(port).host("127.0.0.1").protocol(Transport::Udp);
    let result = judged(udp(port)).await;
    assert_eq!((result.verdict, &*result.message), (Outcome::Passed, &*format!("127.0.0.1:{port}: bound")));
    assert_ne!(listens(port, true), Some(false));
    let answering = tokio::spawn(async move {
        let mut buffer = [0; 16];
        loop {
            let (_, peer) = bound.recv_from(&mut buffer).await.unwrap();
            bound.send_to(b"hello", peer).await.unwrap();
        }
    });
    let result = judged(udp(port)).await;
    assert_eq!(
        (result.verdict, &*result.message),
        (Outcome::Passed, &*format!("127.0.0.1:{port}: answered"))
    );
    answering.abort();
    let _ = answering.await;
    let result = judged(udp(port)).await;
    assert_eq!(result.verdict, Outcome::Failed);
    assert_eq!(
        result.message,
        format!("nothing is there at 127.0.0.1:{port}/udp (127.0.0.1:{port}: refused)")
    );
    assert_eq!(judged(udp(port).not()).await.verdict, Outcome::Passed);
}

#[tokio::test]
async fn an_endpoint_gives_what_is_left_out() {
    let open = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = open.local_addr().unwrap();
    let project = Project::new("test")
        .with(
            EndpointResource::new("by-url")
                .url(format!("http://{address}/x"))
                .assert(PortAccessibleAssert::default())
                .assert(PortAccessibleAssert::new(address.port())),
        )
        .with(
            EndpointResource::new("by-port")
                .host("127.0.0.1")
                .port(address.port())
                .assert(PortAccessibleAssert::default()),
        );
    let report = Engine::standard().assert(&project).await.unwrap();
    assert!(report.passed(), "{report}");
    for (check, message) in [
        (PortAccessibleAssert::default(), "port"),
        (PortAccessibleAssert::new(0), "nothing can listen at port 0"),
        (PortAccessibleAssert::new(80).host("http://x"), "is neither a name nor an address"),
    ] {
        let error = Engine::standard().assert(&Project::new("test").assert(check)).await.unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
    }
    for endpoint in [
        EndpointResource::new("x"),
        EndpointResource::new("x").host("h"),
        EndpointResource::new("x").port(1),
        EndpointResource::new("x").url("http://x").port(1),
        EndpointResource::new("x").url("/x"),
    ] {
        let project = Project::new("test").with(endpoint.assert(PortAccessibleAssert::new(1)));
        assert!(Engine::standard().assert(&project).await.is_err());
    }
}
