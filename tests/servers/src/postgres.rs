//! One PostgreSQL server.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::process::{Plan, Process};
use crate::{account, folder, installed, ports, wait};

const READY_BOUND: Duration = Duration::from_secs(30);
/// Of losing the race for a port; losing it once is rare.
const ATTEMPTS: usize = 5;

/// Makes the data folder if there is none yet, then becomes the server: so the supervisor looks after both.
const INIT_AND_RUN: &str = r#"
initdb=$1 data=$2
shift 2
[ -f "$data/PG_VERSION" ] ||
    "$initdb" --no-sync -A trust -U postgres --encoding=UTF8 --locale=C -D "$data" || exit 1
exec "$@"
"#;

/// A PostgreSQL server of our own, with one superuser `postgres` who needs no password.
///
/// It does not sync to disk. Tests kill processes, not machines, and the kernel keeps what a killed process has written:
/// commits survive [`kill`](Self::kill), as they would survive a crash with syncing on.
#[derive(Debug)]
pub struct Postgres {
    // Before the folder: the server goes first.
    process: Process,
    folder: TempDir,
    programs: PathBuf,
    port: u16,
}

impl Postgres {
    /// Starts a server, with an empty database `postgres`. As root it runs under the account `postgres`.
    ///
    /// # Errors
    ///
    /// PostgreSQL is not installed or does not start within 30 seconds; the error holds the end of its log.
    pub fn start() -> io::Result<Self> {
        let mut result = Self::launch();
        for _ in 1..ATTEMPTS {
            match &result {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => result = Self::launch(),
                _ => break,
            }
        }
        result
    }

    fn launch() -> io::Result<Self> {
        let programs = installed::require_postgres()?;
        let account = account::unprivileged()?;
        let folder = folder::make("postgres", account)?;
        let port = ports::free()?;

        let mut command: Vec<OsString> = ["/bin/sh", "-c", INIT_AND_RUN, "sh"].map(OsString::from).into();
        command.push(programs.join("initdb").into());
        command.push(data(&folder).into());
        command.push(programs.join("postgres").into());
        command.push("-D".into());
        command.push(data(&folder).into());
        command.push("-k".into());
        command.push(folder.path().into());
        command.push("-p".into());
        command.push(port.to_string().into());
        command.extend(["-h", "127.0.0.1", "-F"].map(OsString::from));
        // In the data folder, so that nothing of a killed server stays behind in /dev/shm.
        command.extend(["-c", "dynamic_shared_memory_type=mmap"].map(OsString::from));
        // Tests run side by side, each with its pool.
        command.extend(["-c", "max_connections=200"].map(OsString::from));

        let process = Process::start(Plan { dir: folder.path(), quit: "QUIT", command, account })?;
        let postgres = Self { process, folder, programs, port };
        postgres.wait_until_ready()?;
        Ok(postgres)
    }

    /// `postgres://postgres@127.0.0.1:PORT/postgres`, also the same after a restart.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_of("postgres")
    }

    /// The TCP port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The server's folder: its log, its socket, its data.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.folder.path()
    }

    /// The postmaster's process id; of the last one, if it is dead.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Creates an empty database and answers with its URL.
    ///
    /// # Errors
    ///
    /// As [`psql`](Self::psql); there may be one of that name already.
    pub fn create_database(&self, name: &str) -> io::Result<String> {
        self.psql(&format!("CREATE DATABASE \"{}\"", name.replace('"', "\"\"")))?;
        Ok(self.url_of(name))
    }

    /// Runs SQL in the database `postgres` and answers with the rows, a line each, columns separated by `|`. Start with
    /// `\c NAME` to run it in another database.
    ///
    /// # Errors
    ///
    /// What psql reports, at the first statement that fails.
    pub fn psql(&self, sql: &str) -> io::Result<String> {
        let mut psql = Command::new(self.programs.join("psql"))
            .args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-f", "-", "-d"])
            .arg(self.url())
            .env("PGCONNECT_TIMEOUT", "10")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        // By stdin, as `-c` would put all statements into one transaction.
        let written = match psql.stdin.take() {
            Some(mut stdin) => stdin.write_all(sql.as_bytes()).and_then(|()| stdin.write_all(b"\n")),
            None => Ok(()),
        };
        let output = psql.wait_with_output()?;
        if !output.status.success() {
            return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).trim_end().to_owned()));
        }
        written?;
        Ok(String::from_utf8_lossy(&output.stdout).trim_end_matches('\n').to_owned())
    }

    /// Sends SIGKILL to the postmaster and every backend. They are gone when this returns; the data stays for
    /// [`restart`](Self::restart).
    ///
    /// # Errors
    ///
    /// The supervisor is gone: somebody killed it.
    pub fn kill(&mut self) -> io::Result<()> {
        self.process.kill()
    }

    /// Starts the server again, with the same port and data; kills it first if it runs.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub fn restart(&mut self) -> io::Result<()> {
        self.kill()?;
        self.process.start_again()?;
        self.wait_until_ready()
    }

    /// Sends SIGSTOP to the postmaster and every backend: connections stay open, but nobody answers.
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

    /// What the server has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        folder::log(self.folder.path())
    }

    fn url_of(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    fn wait_until_ready(&self) -> io::Result<()> {
        let mut ready = false;
        wait::until(READY_BOUND, Duration::from_millis(5), || {
            ready = self.is_ready();
            ready || !self.process.is_alive()
        });
        if ready { Ok(()) } else { Err(folder::start_error("postgres", self.folder.path())) }
    }

    /// By the file that `pg_ctl --wait` reads too: line 1 is the pid (the file may be a dead server's), line 8 the state.
    fn is_ready(&self) -> bool {
        let file = std::fs::read_to_string(data(&self.folder).join("postmaster.pid")).unwrap_or_default();
        let line = |number: usize| file.lines().nth(number - 1).map(str::trim);
        line(1) == Some(&self.pid().to_string()) && line(8) == Some("ready")
    }
}

fn data(folder: &TempDir) -> PathBuf {
    folder.path().join("data")
}
