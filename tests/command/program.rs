//! One run of the program.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// What a run left behind.
#[derive(Debug)]
pub struct Run {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Run {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// The program with nothing in its environment that the machine happens to have.
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cloakroom"));
    for name in [
        "REDIS_URL",
        "DATABASE_URL",
        "CLOAKROOM_NAMESPACE",
        "CLOAKROOM_SHARDS",
        "CLOAKROOM_PEPPER",
        "CLOAKROOM_PEPPER_FILE",
        "CLOAKROOM_SEAL_KEY_FILE",
        "RUST_LOG",
        "HOSTNAME",
    ] {
        command.env_remove(name);
    }
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

pub async fn run(mut command: Command) -> Run {
    let done = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Run { code: done.status.code().unwrap(), out: text(done.stdout), err: text(done.stderr) }
}

/// A run that goes on until it is told to stop. Killed when dropped.
pub struct Running {
    child: Child,
    err: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Running {
    pub fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let err = Arc::new(Mutex::new(String::new()));
        let (lines, shared) = (BufReader::new(child.stderr.take().unwrap()).lines(), Arc::clone(&err));
        let reader = thread::spawn(move || {
            for line in lines {
                let mut err = shared.lock().unwrap();
                err.push_str(&line.unwrap());
                err.push('\n');
            }
        });
        Self { child, err, reader: Some(reader) }
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        self.err.lock().unwrap().clone()
    }

    /// Sends a signal and waits for the end, which must come before a minute is over.
    pub fn stop(mut self, signal: &str) -> (ExitStatus, String, String) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success());
        let end = Instant::now() + Duration::from_secs(60);
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < end, "it does not stop");
            thread::sleep(Duration::from_millis(10));
        };
        let mut out = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        self.reader.take().unwrap().join().unwrap();
        (status, out, self.log())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // By its id, through the handle; an error means that it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
