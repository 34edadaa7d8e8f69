//! What the driver of endpoints sees.

use clockwork_core::prelude::*;
use clockwork_drivers::EndpointResource;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::http::serve;

/// The observed state; null where nothing is there.
async fn observed(endpoint: EndpointResource) -> Value {
    let (send, mut receive) = tokio::sync::mpsc::unbounded_channel();
    let looks = assertion("looks", move |cx: Context| {
        let send = send.clone();
        async move {
            let seen = cx.observe_resource("it").await?;
            send.send(seen.as_ref().as_ref().map_or(Value::Null, |seen| seen.state())).unwrap();
            Ok(true)
        }
    });
    let report = Engine::standard().assert(&Project::new("test").with(endpoint.assert(looks))).await.unwrap();
    assert!(report.passed(), "{report}");
    receive.recv().await.unwrap()
}

#[tokio::test]
async fn an_endpoint_is_there_or_not() {
    let (address, _) = serve("HTTP/1.1 503 x\r\ncontent-length: 0\r\n\r\n").await;
    let url = format!("http://{address}/");
    let seen = observed(EndpointResource::new("it").url(format!("http://me:canary@{address}/"))).await;
    assert_eq!(seen, json!({ "url": url, "status": 503, "address": address.to_string() }));
    let seen = observed(EndpointResource::new("it").host("127.0.0.1").port(address.port())).await;
    assert_eq!(seen, json!({ "host": "127.0.0.1", "port": address.port(), "address": address.to_string() }));

    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    assert_eq!(
        observed(EndpointResource::new("it").host("127.0.0.1").port(nobody.port())).await,
        Value::Null
    );
    assert_eq!(observed(EndpointResource::new("it").url(format!("http://{nobody}/"))).await, Value::Null);
}
