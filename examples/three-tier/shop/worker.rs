//! Takes the events of orders from the queue, and copies each order into the reports.

use std::{io, time::Duration};

use crate::{database::Database, events::Events};

pub(crate) async fn work() -> io::Result<()> {
    let database = Database::new()?;
    loop {
        if let Err(error) = take(&database).await {
            eprintln!("shop worker: {error}");
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn take(database: &Database) -> io::Result<()> {
    let mut events = Events::connect().await?;
    let stream = r#"{"name":"ORDERS","subjects":["orders.*"],"storage":"memory"}"#;
    events.publish("$JS.API.STREAM.CREATE.ORDERS", "inbox.made", stream).await?;
    events.next().await?;
    let consumer = r#"{"stream_name":"ORDERS","config":{"durable_name":"reports","ack_policy":"explicit","ack_wait":1000000000}}"#;
    events.publish("$JS.API.CONSUMER.DURABLE.CREATE.ORDERS.reports", "inbox.made", consumer).await?;
    events.next().await?;
    loop {
        // A second each time: then the server says that there was nothing, or that the consumer is gone.
        let ask = r#"{"batch":1,"expires":1000000000}"#;
        events.publish("$JS.API.CONSUMER.MSG.NEXT.ORDERS.reports", "inbox.next", ask).await?;
        let patience = Duration::from_secs(3);
        let message = tokio::time::timeout(patience, events.next()).await.map_err(io::Error::other)??;
        let (Some(receipt), Ok(id)) =
            (message.reply, String::from_utf8_lossy(&message.payload).trim().parse::<i64>())
        else {
            if !message.status {
                return Err(io::Error::other("the queue says something strange"));
            }
            continue;
        };
        let copy = format!(
            "INSERT INTO reports SELECT id, product, cents FROM orders WHERE id = {id} ON CONFLICT DO NOTHING"
        );
        database.run(&copy).await?;
        events.publish(&receipt, "", "").await?;
    }
}
