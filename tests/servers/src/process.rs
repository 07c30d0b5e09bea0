//! A server process under a supervisor that outlives us.
//!
//! A test process can die without running a single destructor: SIGKILL, abort, Ctrl-C, `static` values. So the server
//! is not our child but the child of a small shell that reads from a pipe only we hold. When the pipe closes, for any
//! reason at all, the shell kills the server and removes its folder.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::account::Account;
use crate::{table, wait};

/// How long a process may take to react to a signal it cannot refuse.
const SIGNAL_BOUND: Duration = Duration::from_secs(10);

/// What to run, and how.
pub(crate) struct Plan<'a> {
    /// The server's folder. The supervisor writes `log` into it and removes it in the end.
    pub(crate) dir: &'a Path,
    /// The signal that ends the server when it is dropped: `KILL`, `QUIT`.
    pub(crate) quit: &'static str,
    /// The program and its arguments.
    pub(crate) command: Vec<OsString>,
    /// Who runs it, when not we ourselves.
    pub(crate) account: Option<Account>,
}

/// One server and its supervisor. Dropping it ends both and removes the folder.
#[derive(Debug)]
pub(crate) struct Process {
    shell: Child,
    /// `None` once closed, which is the order to tidy up.
    pipes: Mutex<Option<Pipes>>,
    /// Of the server, not of the shell. Kept after its death.
    pid: u32,
    dead: bool,
}

#[derive(Debug)]
struct Pipes {
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Process {
    /// Starts the supervisor and the server. The server may still be far from ready, or fail.
    pub(crate) fn start(plan: Plan<'_>) -> io::Result<Self> {
        let mut shell = Command::new("/bin/sh");
        shell
            .args(["-c", include_str!("supervisor.sh"), "supervisor"])
            .arg(plan.dir)
            .arg(plan.quit)
            .args(plan.command)
            .current_dir("/")
            // Errors are told by the log, and we look for their English wording.
            .env("LC_ALL", "C")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // A group of its own: Ctrl-C in the terminal must reach us, not the one who tidies up after us.
            .process_group(0);
        for (name, _) in std::env::vars_os() {
            // PGDATA, PGPORT and the like would redirect our private server.
            if name.as_encoded_bytes().starts_with(b"PG") {
                shell.env_remove(name);
            }
        }
        if let Some(account) = plan.account {
            shell.uid(account.uid).gid(account.gid);
        }

        let mut shell = shell.spawn()?;
        let (Some(orders), Some(answers)) = (shell.stdin.take(), shell.stdout.take()) else {
            return Err(io::Error::other("the supervisor has no pipes"));
        };
        let pipes = Pipes { orders, answers: BufReader::new(answers) };
        let mut process = Self { shell, pipes: Mutex::new(Some(pipes)), pid: 0, dead: true };
        process.start_again()?;
        Ok(process)
    }

    /// Starts the server once more after [`kill`](Self::kill), or after it died by itself and was killed all the same.
    pub(crate) fn start_again(&mut self) -> io::Result<()> {
        self.pid = self.order("start")?.parse().map_err(io::Error::other)?;
        self.dead = false;
        Ok(())
    }

    /// The server's process id; of the last one, if it is dead.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether the server runs (or is paused).
    pub(crate) fn is_alive(&self) -> bool {
        !self.dead && table::is_alive(self.pid)
    }

    /// Kills the server and everything it forked. They are gone when this returns.
    pub(crate) fn kill(&mut self) -> io::Result<()> {
        if self.dead {
            return Ok(());
        }
        // Stopped first, so that it cannot fork while we list what it forked.
        let family = self.stop_and_list()?;
        self.signal("KILL", &family)?;
        self.order("reap")?;
        self.dead = true;
        wait::until(SIGNAL_BOUND, Duration::from_millis(1), || {
            !family.iter().any(|&pid| table::is_alive(pid))
        })
        .then_some(())
        .ok_or_else(|| io::Error::new(io::ErrorKind::TimedOut, "processes survive SIGKILL"))
    }

    /// Freezes the server and everything it forked.
    pub(crate) fn pause(&self) -> io::Result<()> {
        let family = self.stop_and_list()?;
        self.signal("STOP", &family)
    }

    /// Undoes [`pause`](Self::pause).
    pub(crate) fn resume(&self) -> io::Result<()> {
        self.signal("CONT", &self.family()?)
    }

    /// Stops the server itself, and answers with it and its children.
    fn stop_and_list(&self) -> io::Result<Vec<u32>> {
        self.signal("STOP", &[self.pid])?;
        wait::until(SIGNAL_BOUND, Duration::from_millis(1), || {
            table::state(self.pid).is_none_or(|state| matches!(state, 'T' | 'Z'))
        });
        self.family()
    }

    fn family(&self) -> io::Result<Vec<u32>> {
        let mut family = table::children(self.pid)?;
        family.push(self.pid);
        Ok(family)
    }

    fn signal(&self, name: &str, pids: &[u32]) -> io::Result<()> {
        let pids: Vec<String> = pids.iter().map(u32::to_string).collect();
        self.order(&format!("{name} {}", pids.join(" "))).map(drop)
    }

    /// Sends one order to the supervisor and waits for its answer.
    fn order(&self, order: &str) -> io::Result<String> {
        let mut pipes = self.pipes.lock().unwrap_or_else(PoisonError::into_inner);
        let pipes = pipes.as_mut().ok_or_else(|| io::Error::other("the supervisor has ended"))?;
        writeln!(pipes.orders, "{order}")?;
        let mut answer = String::new();
        pipes.answers.read_line(&mut answer)?;
        if answer.is_empty() {
            return Err(io::Error::other("the supervisor has ended"));
        }
        Ok(answer.trim_end().to_owned())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.pipes.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        // The supervisor bounds its own patience; nobody could do anything about an error.
        let _ = self.shell.wait();
    }
}
