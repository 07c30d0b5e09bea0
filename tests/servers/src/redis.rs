//! One Redis server.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use crate::process::{Plan, Process};
use crate::{folder, installed, ports, resp, wait};

const READY_BOUND: Duration = Duration::from_secs(20);
const COMMAND_BOUND: Duration = Duration::from_secs(10);
/// Of losing the race for a port; losing it once is rare.
const ATTEMPTS: usize = 5;

/// A Redis server of our own, on a loopback port and a Unix socket, without snapshots.
#[derive(Debug)]
pub struct Redis {
    // Before the folder: the server goes first.
    process: Process,
    folder: TempDir,
    port: u16,
    bus_port: Option<u16>,
}

impl Redis {
    /// Starts a server that keeps nothing on disk.
    ///
    /// # Errors
    ///
    /// Redis is not installed or does not start; the error holds the end of its log.
    pub fn start() -> io::Result<Self> {
        Self::with(&[])
    }

    /// Starts a server that keeps every acknowledged write, also when it is killed.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub fn durable() -> io::Result<Self> {
        Self::with(&["--appendonly", "yes", "--appendfsync", "always"])
    }

    /// Starts a server with further arguments, as `&["--maxmemory", "10mb"]`.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub fn with(arguments: &[&str]) -> io::Result<Self> {
        Self::try_ports(arguments, false)
    }

    /// Starts a replica of another server, and waits until it has everything that one holds.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start), or the two do not agree within 20 seconds.
    pub fn replica_of(primary: &Self) -> io::Result<Self> {
        Self::replica_through(primary.port(), primary)
    }

    /// The same, over another port that leads to the primary.
    ///
    /// # Errors
    ///
    /// As [`replica_of`](Self::replica_of).
    pub fn replica_through(port: u16, primary: &Self) -> io::Result<Self> {
        // By default it waits five seconds for further replicas.
        primary.command(&["CONFIG", "SET", "repl-diskless-sync-delay", "0"])?;
        let replica = Self::with(&["--replicaof", "127.0.0.1", &port.to_string()])?;
        let up = || {
            replica.command(&["INFO", "replication"]).is_ok_and(|info| info.contains("master_link_status:up"))
        };
        if !wait::until(READY_BOUND, Duration::from_millis(5), up) {
            return Err(folder::start_error("a replica", replica.folder.path()));
        }
        // It is called online before it is sent anything, which takes until its first word, up to a second later:
        // something that is sent, and leaves no key behind, must have arrived.
        primary.command(&["PUBLISH", "first", "word"])?;
        primary.wait_for_replica()?;
        Ok(replica)
    }

    /// Waits until one replica has everything that was written so far.
    ///
    /// # Errors
    ///
    /// It has not within ten seconds.
    pub fn wait_for_replica(&self) -> io::Result<()> {
        let info = self.command(&["INFO", "replication"])?;
        let wanted =
            info.lines().find_map(|line| line.strip_prefix("master_repl_offset:")?.trim().parse().ok());
        let wanted: u64 = wanted.ok_or_else(|| io::Error::other("no replication offset"))?;
        let reached = || {
            let info = self.command(&["INFO", "replication"]).unwrap_or_default();
            let replica = info.lines().find(|line| line.starts_with("slave0:")).unwrap_or_default();
            let offset =
                replica.split(',').find_map(|part| part.strip_prefix("offset=")?.parse::<u64>().ok());
            offset.is_some_and(|offset| offset >= wanted)
        };
        match wait::until(COMMAND_BOUND, Duration::from_millis(5), reached) {
            true => Ok(()),
            false => Err(io::Error::new(io::ErrorKind::TimedOut, "the replica lags behind")),
        }
    }

    /// Cuts a replica off: it keeps what it has, and gets nothing more.
    ///
    /// # Errors
    ///
    /// As [`command`](Self::command).
    pub fn cut_off(&self) -> io::Result<()> {
        // Nobody listens there.
        self.command(&["REPLICAOF", "127.0.0.1", "1"]).map(drop)
    }

    /// Makes a replica a primary.
    ///
    /// # Errors
    ///
    /// As [`command`](Self::command).
    pub fn promote(&self) -> io::Result<()> {
        self.command(&["REPLICAOF", "NO", "ONE"]).map(drop)
    }

    /// Starts an empty node of a cluster to be.
    pub(crate) fn node(arguments: &[&str]) -> io::Result<Self> {
        Self::try_ports(arguments, true)
    }

    fn try_ports(arguments: &[&str], node: bool) -> io::Result<Self> {
        let mut result = Self::launch(arguments, node);
        for _ in 1..ATTEMPTS {
            match &result {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                    result = Self::launch(arguments, node)
                }
                _ => break,
            }
        }
        result
    }

    fn launch(arguments: &[&str], node: bool) -> io::Result<Self> {
        let program = installed::require_redis_server()?;
        let folder = folder::make("redis", None)?;
        let port = ports::free()?;
        let bus_port = if node { Some(ports::free()?) } else { None };

        let mut command: Vec<OsString> = vec![program.into()];
        command.extend(["--bind", "127.0.0.1", "--port"].map(OsString::from));
        command.push(port.to_string().into());
        command.push("--unixsocket".into());
        command.push(socket(&folder).into());
        command.push("--dir".into());
        command.push(folder.path().into());
        command.extend(["--save", ""].map(OsString::from));
        if let Some(bus_port) = bus_port {
            command.extend(["--cluster-enabled", "yes", "--cluster-port"].map(OsString::from));
            command.push(bus_port.to_string().into());
        }
        command.extend(arguments.iter().map(OsString::from));

        let process = Process::start(Plan { dir: folder.path(), quit: "KILL", command, account: None })?;
        let redis = Self { process, folder, port, bus_port };
        redis.wait_until_ready()?;
        Ok(redis)
    }

    /// `redis://127.0.0.1:PORT`, also the same after a restart.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The TCP port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The port of the cluster's bus, on a node of a cluster.
    pub(crate) fn bus_port(&self) -> Option<u16> {
        self.bus_port
    }

    /// The Unix socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        socket(&self.folder)
    }

    /// The server's folder: its log, its socket, its append-only file.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.folder.path()
    }

    /// The server's process id; of the last one, if it is dead.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Sends SIGKILL. The server is gone when this returns; its folder stays for [`restart`](Self::restart).
    ///
    /// # Errors
    ///
    /// The supervisor is gone: somebody killed it.
    pub fn kill(&mut self) -> io::Result<()> {
        self.process.kill()
    }

    /// Starts the server again, with the same port, folder and socket; kills it first if it runs.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub fn restart(&mut self) -> io::Result<()> {
        self.kill()?;
        // A new server would remove it, but until then it would look as if that one were there already.
        match std::fs::remove_file(self.socket()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        self.process.start_again()?;
        self.wait_until_ready()
    }

    /// Sends SIGSTOP: connections stay open and new ones are accepted by the kernel, but nobody answers.
    ///
    /// # Errors
    ///
    /// As [`kill`](Self::kill).
    pub fn pause(&self) -> io::Result<()> {
        self.process.pause()
    }

    /// Sends SIGCONT, which undoes [`pause`](Self::pause).
    ///
    /// # Errors
    ///
    /// As [`kill`](Self::kill).
    pub fn resume(&self) -> io::Result<()> {
        self.process.resume()
    }

    /// Runs one command on a connection of its own and renders the reply as text: an array as one line for each
    /// element, nil as `(nil)`.
    ///
    /// # Errors
    ///
    /// The server does not answer within ten seconds, or answers with an error.
    pub fn command(&self, command: &[&str]) -> io::Result<String> {
        let stream = TcpStream::connect_timeout(&(Ipv4Addr::LOCALHOST, self.port).into(), COMMAND_BOUND)?;
        stream.set_read_timeout(Some(COMMAND_BOUND))?;
        resp::call(stream, command)
    }

    /// How often each command was called since the start or since [`reset_stats`](Self::reset_stats), by its lower-case
    /// name: `hgetall`, `config|resetstat`.
    ///
    /// # Panics
    ///
    /// When the server does not answer: a test must not take that for zero calls.
    #[must_use]
    pub fn command_calls(&self) -> BTreeMap<String, u64> {
        match self.command(&["INFO", "commandstats"]) {
            Ok(info) => info.lines().filter_map(calls_of).collect(),
            Err(error) => panic!("cannot read the statistics of {}: {error}", self.url()),
        }
    }

    /// Sets the numbers of [`command_calls`](Self::command_calls) back to zero.
    ///
    /// # Errors
    ///
    /// As [`command`](Self::command).
    pub fn reset_stats(&self) -> io::Result<()> {
        self.command(&["CONFIG", "RESETSTAT"]).map(drop)
    }

    /// What the server has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        folder::log(self.folder.path())
    }

    fn wait_until_ready(&self) -> io::Result<()> {
        let mut ready = false;
        wait::until(READY_BOUND, Duration::from_millis(2), || {
            ready = self.answers();
            ready || !self.process.is_alive()
        });
        if ready { Ok(()) } else { Err(folder::start_error("redis-server", self.folder.path())) }
    }

    /// By the socket: on the port, somebody else may have won the race. While it loads its data, the reply is an error.
    fn answers(&self) -> bool {
        let ping = || {
            let stream = UnixStream::connect(self.socket())?;
            stream.set_read_timeout(Some(COMMAND_BOUND))?;
            resp::call(stream, &["PING"])
        };
        ping().is_ok_and(|reply| reply == "PONG")
    }
}

fn socket(folder: &TempDir) -> PathBuf {
    folder.path().join("redis.sock")
}

/// Reads `cmdstat_get:calls=3,usec=...`.
fn calls_of(line: &str) -> Option<(String, u64)> {
    let (name, numbers) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
    Some((name.to_owned(), numbers.split(',').next()?.parse().ok()?))
}
