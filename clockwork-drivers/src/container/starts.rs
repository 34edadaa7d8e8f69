//! [`ContainerStarts`]: how often a container was started lately, as far as the engine remembers.

use std::time::{Duration, UNIX_EPOCH};

use clockwork_core::{CheckError, Context, Fault, Probe};
use serde::Deserialize;

use super::{
    EngineRef,
    client::{self, segment},
};

/// How long one event may be told.
const EVENT: usize = 64 << 10;

/// How often a container was started lately: at least so often, for engines remember a few hundred events only.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ContainerStarts {
    /// The engine that runs it.
    pub engine: EngineRef,
    /// Its id.
    pub id: String,
    /// In this time before now, by this machine's clock.
    pub within: Duration,
}

#[derive(Deserialize)]
struct Event {
    #[serde(default, alias = "Action")]
    status: String,
}

impl Probe for ContainerStarts {
    type Observation = u64;

    async fn look(&self, cx: &Context) -> Result<u64, CheckError> {
        let engine = client::engine(&self.engine, cx).await?;
        cx.phase(format!("waiting for the events of {}", engine.describe()));
        let until = cx.now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let since = until.saturating_sub(self.within);
        // {"container":["…"],"event":["start"]}
        let filters = segment(&format!(r#"{{"container":["{}"],"event":["start"]}}"#, self.id));
        let path = format!(
            "/events?since={}&until={}.{:09}&filters={filters}",
            since.as_secs(),
            until.as_secs(),
            until.subsec_nanos()
        );
        let (mut starts, mut line) = (0, Vec::new());
        let told = engine.stream(&path, |_, bytes| {
            for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
                line.extend_from_slice(piece);
                if piece.ends_with(b"\n") || line.len() > EVENT {
                    let event = serde_json::from_slice::<Event>(&line);
                    starts += u64::from(event.is_ok_and(|event| event.status == "start"));
                    line.clear();
                }
            }
            true
        });
        told.await?;
        Ok(starts)
    }

    fn describe(&self) -> String {
        format!("counting the starts of the container {}", self.id)
    }

    fn silence(&self) -> Fault {
        Fault::Observer
    }
}
