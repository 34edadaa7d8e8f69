//! Thousands of established connections, held by processes of their own, so that nobody's limit on open files is in
//! the way.

use std::{
    env,
    io::{BufRead, BufReader, Read},
    net::{TcpListener, TcpStream},
    process::{Child, ChildStdin, Command, Stdio},
};

use anyhow::{Context as _, ensure};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// The argument that makes this binary one of them.
pub(crate) const PART: &str = "--crowd";

/// How many connections one process holds, both ends of them.
const CONNECTIONS: usize = 2_500;

/// Processes that hold connections. They end when this is dropped, or when the process that holds this ends.
#[derive(Debug)]
pub(crate) struct Crowd(Vec<(Child, Option<ChildStdin>)>);

impl Crowd {
    /// With about this many sockets in all.
    pub(crate) fn of(sockets: usize) -> anyhow::Result<Self> {
        let mut crowd = Self(Vec::new());
        for _ in 0..sockets.div_ceil(2 * CONNECTIONS) {
            let mut child = Command::new(env::current_exe()?)
                .arg(PART)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .context("cannot start a crowd")?;
            let output = child.stdout.take().context("the crowd has no output")?;
            crowd.0.push({
                let input = child.stdin.take();
                (child, input)
            });
            let mut line = String::new();
            BufReader::new(output).read_line(&mut line)?;
            ensure!(
                line.trim() == CONNECTIONS.to_string(),
                "the crowd got together {:?} connections",
                line.trim()
            );
        }
        Ok(crowd)
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        for (child, input) in &mut self.0 {
            drop(input.take());
            let _ = child.wait();
        }
    }
}

/// Holds connections until standard input ends; says how many there are.
pub(crate) fn hold() -> anyhow::Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut held = Vec::new();
    for _ in 0..CONNECTIONS {
        held.push(TcpStream::connect(listener.local_addr()?)?);
        held.push(listener.accept()?.0);
    }
    println!("{}", held.len() / 2);
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
