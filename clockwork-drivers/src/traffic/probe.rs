//! The question, and what comes of it.

use std::{net::SocketAddr, time::Duration};

use clockwork_core::{CheckError, Context, Fault, Probe, ResourceName};

/// Looks at who talks to whom among these resources.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TrafficProbe {
    /// Containers, and endpoints, which are only talked to.
    pub resources: Vec<ResourceName>,
    /// For how long it is looked at.
    pub over: Duration,
}

/// Who talked to whom.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Traffic {
    /// By client, listener and port.
    pub links: Vec<Link>,
    /// The containers that do not run, and what they are instead.
    pub absent: Vec<(ResourceName, String)>,
    /// To whom else containers talk, at most a hundred of them.
    pub outside: Vec<(ResourceName, SocketAddr)>,
    /// How often it was looked.
    pub looks: u32,
}

/// That one resource connects to another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Link {
    /// The client.
    pub from: ResourceName,
    /// The one who listens.
    pub to: ResourceName,
    /// At which port, as the client knows it.
    pub port: u16,
    /// A connection was there; otherwise one had ended within a minute before, or nobody answered.
    pub live: bool,
    /// Somebody tries to connect, and nobody has answered: there was no connection.
    pub only_tried: bool,
    /// Whether it is known which of them is the client.
    pub sure: bool,
}

impl Probe for TrafficProbe {
    type Observation = Traffic;

    async fn look(&self, cx: &Context) -> Result<Traffic, CheckError> {
        super::system::look(self, cx).await
    }

    fn describe(&self) -> String {
        String::from("reading the socket tables of the containers")
    }

    fn silence(&self) -> Fault {
        Fault::Observer
    }

    fn weight(seen: &Traffic) -> usize {
        256 + seen.links.len() * 96 + seen.outside.len() * 64
    }
}
