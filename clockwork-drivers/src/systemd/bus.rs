//! The connection to systemd's manager: one for each address and run.
//!
//! Always over a bus: what the manager sends on its own socket (`/run/systemd/private`) names a sender that is no valid
//! name, at which the D-Bus library gives up.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use clockwork_core::{CheckError, Context, text::quote};
use tokio::sync::OnceCell;
use zbus::{Connection, connection::Builder, message::Message};

/// What `sd_booted(3)` looks for.
const BOOTED: &str = "/run/systemd/system";
const SYSTEM_BUS: &str = "/run/dbus/system_bus_socket";

const MANAGER: &str = "org.freedesktop.systemd1";

/// A way to systemd's manager.
#[derive(Debug, Clone)]
pub(super) struct Bus {
    connection: Connection,
    address: String,
}

/// The connections of a run.
#[derive(Default)]
struct Buses(Mutex<HashMap<String, Arc<OnceCell<Bus>>>>);

impl Bus {
    /// The bus at this address; the system's own where none is given.
    pub(super) async fn of(address: Option<&str>, cx: &Context) -> Result<Self, CheckError> {
        let address = match address {
            Some(address) => address.to_owned(),
            None => systems_own()?,
        };
        let bus = {
            let buses = cx.shared::<Buses>();
            let mut buses = buses.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(buses.entry(address.clone()).or_default())
        };
        cx.phase(format!("connecting to {}", quote(&address)));
        bus.get_or_try_init(|| connect(address)).await.cloned()
    }

    /// Calls a method of the manager.
    pub(super) async fn call<B: serde::Serialize + zbus::zvariant::DynamicType>(
        &self,
        path: &str,
        interface: &str,
        method: &str,
        body: &B,
        cx: &Context,
    ) -> Result<Message, CheckError> {
        cx.phase(format!("waiting for systemd's answer to {method}"));
        match self.connection.call_method(Some(MANAGER), path, Some(interface), method, body).await {
            Ok(answer) => Ok(answer),
            Err(error) => Err(self.explain(error, cx)),
        }
    }

    fn explain(&self, error: zbus::Error, cx: &Context) -> CheckError {
        let zbus::Error::MethodError(name, said, _) = &error else {
            // The next attempt connects anew.
            let buses = cx.shared::<Buses>();
            buses.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.address);
            let broken = format!("the connection to systemd at {} broke", quote(&self.address));
            return CheckError::unobservable(broken).with_source(error).retryable();
        };
        let said = said.as_deref().map(|said| format!(": {}", quote(said))).unwrap_or_default();
        match name.as_str() {
            "org.freedesktop.DBus.Error.ServiceUnknown" | "org.freedesktop.DBus.Error.NameHasNoOwner" => {
                CheckError::unobservable(format!(
                    "there is no systemd on the bus at {}",
                    quote(&self.address)
                ))
            }
            "org.freedesktop.DBus.Error.AccessDenied" => {
                CheckError::unobservable(format!("no permission to ask systemd{said}"))
                    .hint("run as root, or as a user whom the bus's policy lets ask")
            }
            name if name.starts_with("org.freedesktop.DBus.Error.Spawn") => CheckError::unobservable(
                format!("there is no systemd on the bus at {}{said}", quote(&self.address)),
            ),
            name => {
                CheckError::unobservable(format!("systemd does not tell ({}){said}", quote(name))).retryable()
            }
        }
    }
}

fn systems_own() -> Result<String, CheckError> {
    let there = |path: &str| Path::new(path).exists();
    if there(BOOTED) && there(SYSTEM_BUS) {
        return Ok(format!("unix:path={SYSTEM_BUS}"));
    }
    let (message, hint) = match there(BOOTED) {
        true => (
            "systemd cannot be asked: there is no system bus",
            "start D-Bus, or give the address of its `bus`",
        ),
        false => (
            "no systemd runs this machine",
            "assert its processes instead (ProcessRunningAssert), or give the address of the `bus` to ask",
        ),
    };
    Err(CheckError::unobservable(message).hint(hint))
}

async fn connect(address: String) -> Result<Bus, CheckError> {
    let cannot = |error: zbus::Error| {
        CheckError::unobservable(format!("cannot connect to the bus at {}", quote(&address)))
            .with_source(error)
            .retryable()
    };
    let connection = Builder::address(address.as_str()).map_err(cannot)?.build().await.map_err(cannot)?;
    Ok(Bus { connection, address })
}
