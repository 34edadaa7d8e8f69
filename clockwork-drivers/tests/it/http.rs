//! HTTP from a closure, as users write it.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use clockwork_core::prelude::*;
use clockwork_drivers::{
    http::{Method, Text},
    prelude::*,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// Answers every connection's every request with this. Counts them.
pub(crate) async fn serve(reply: &'static str) -> (std::net::SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let requests = Arc::<Mutex<Vec<String>>>::default();
    let seen = Arc::clone(&requests);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let seen = Arc::clone(&seen);
            tokio::spawn(async move {
                let mut bytes = Vec::new();
                while stream.read_buf(&mut bytes).await.is_ok_and(|read| read > 0) {
                    if bytes.windows(4).any(|window| window == b"\r\n\r\n") {
                        seen.lock().unwrap().push(String::from_utf8_lossy(&bytes).into_owned());
                        bytes.clear();
                        let _ = stream.write_all(reply.as_bytes()).await;
                    }
                }
            });
        }
    });
    (address, requests)
}

const REPLY: &str = "HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nset-cookie: b\r\ncontent-type: application/json\r\n\
                     content-length: 15\r\n\r\n{\"version\":\"7\"}";

#[tokio::test]
async fn a_closure_asks_and_sees_all_of_the_answer() {
    let (address, requests) = serve(REPLY).await;
    let url = format!("http://{address}/version");
    let asked = url.clone();
    let sees = assertion("sees", move |cx: Context| {
        let url = asked.clone();
        async move {
            let reply = cx.http().get(&url).await?;
            assert_eq!((reply.status(), reply.version()), (200, String::from("HTTP/1.1")));
            assert_eq!(reply.header("Content-Type"), Some("application/json"));
            assert_eq!(reply.header_values("set-cookie").collect::<Vec<_>>(), [b"a", b"b"]);
            assert_eq!(reply.text()?, "{\"version\":\"7\"}");
            assert_eq!(reply.json::<serde_json::Value>()?["version"], "7");
            assert_eq!((reply.remote(), reply.url(), reply.is_truncated()), (address, url.as_str(), false));
            // The same question in the same round is one request.
            let again = cx.http().get(&url).await?;
            Ok((std::ptr::eq(&*reply, &*again), "was asked twice"))
        }
    });
    let asked = url.clone();
    let posts = assertion("posts", move |cx: Context| {
        let url = asked.clone();
        async move {
            let request =
                HttpRequest::new(&url)?.method(Method::POST).header("x", &Text::from("y"))?.body("z");
            cx.http().send(request.clone()).await?;
            Ok(cx.http().send(request).await?.status() == 200)
        }
    });
    let asked = url.clone();
    let truncates = assertion("truncates", move |cx: Context| {
        let url = asked.clone();
        async move {
            let reply = cx.http().send(HttpRequest::new(&url)?.max_body(4)).await?;
            Ok(reply.is_truncated() && reply.body() == b"{\"ve" && reply.text().is_err())
        }
    });
    let project = Project::new("test").assert(sees).assert(posts).assert(truncates);
    let report = Engine::standard().assert(&project).await.unwrap();
    assert!(report.passed(), "{report}");
    let requests = requests.lock().unwrap();
    assert_eq!(requests.iter().filter(|request| request.starts_with("POST")).count(), 2);
    assert_eq!(requests.len(), 4, "{requests:?}");
}

#[tokio::test]
async fn what_is_no_url_is_an_error_and_shows_no_password() {
    for url in
        ["localhost:80/x", "/x", "ftp://me:canary@x/", "http://", "http://me:canary@[::1/", "http://x:0/"]
    {
        let error = HttpRequest::new(url).unwrap_err().to_string();
        assert!(error.starts_with("url: ") && !error.contains("canary"), "{error}");
    }
    let request = HttpRequest::new("http://me:canary@localhost/x?y#z").unwrap();
    assert_eq!(request.url(), "http://localhost/x?y");
    assert_eq!(format!("{request:?}"), "HttpRequest(GET http://localhost/x?y)");
}

/// A connection that rests between two questions is used again only while its server keeps it, and silent.
#[tokio::test]
async fn what_a_server_says_unasked_is_no_answer_to_the_next_question() {
    let lies = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nlies";
    // what follows the answer, whether the server hangs up then, whether the connection is used again
    for (unasked, hangs_up, used_again) in
        [("", false, true), (lies, false, false), ("\r\n", false, false), ("", true, false)]
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut request = [0; 512];
                    while let Ok(1..) = stream.read(&mut request).await {
                        let body = char::from(request["GET /".len()]);
                        let reply = format!("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n{body}");
                        stream.write_all(reply.as_bytes()).await?;
                        tokio::time::sleep(Duration::from_millis(20)).await;
                        stream.write_all(unasked.as_bytes()).await?;
                        if hangs_up {
                            break;
                        }
                    }
                    std::io::Result::Ok(())
                });
            }
        });
        let asks = assertion("asks", move |cx: Context| async move {
            let first = cx.http().get(&format!("http://{address}/1")).await?;
            tokio::time::sleep(Duration::from_millis(200)).await;
            let second = cx.http().get(&format!("http://{address}/2")).await?;
            let seen = (first.text()?.into_owned(), second.text()?.into_owned(), second.was_reused());
            let wanted = (String::from("1"), String::from("2"), used_again);
            Ok((seen == wanted, format!("after {unasked:?}: {seen:?}")))
        });
        let report = Engine::standard().assert(&Project::new("test").assert(asks)).await.unwrap();
        assert!(report.passed(), "{report}");
    }
}
