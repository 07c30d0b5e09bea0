//! One running demo.

use std::{
    io::{BufRead as _, BufReader, Read},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
};

use servers::{Postgres, Redis};

use crate::{binary, until};

/// Killed when dropped.
pub struct Demo {
    child: Child,
    output: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
    pub url: String,
}

impl Demo {
    /// On the servers of a test.
    pub async fn on(framework: &str, redis: &Redis, postgres: &Postgres) -> Self {
        let (redis, postgres) = (redis.url(), postgres.url());
        let servers = [("REDIS_URL", redis.as_str()), ("DATABASE_URL", postgres.as_str())];
        Self::with(&[servers[0], servers[1], ("DEMO_FRAMEWORK", framework)]).await
    }

    /// With nothing in its environment that the machine happens to have, but these.
    pub async fn with(environment: &[(&str, &str)]) -> Self {
        let mut command = Command::new(binary::path());
        for name in ["REDIS_URL", "DATABASE_URL", "DEMO_EMBEDDED", "DEMO_TRAIL", "DEMO_FRAMEWORK"] {
            command.env_remove(name);
        }
        // Everything that we and the demo itself ever log.
        command.env("RUST_LOG", "warn,cloakroom=trace,demo=trace,tower_http=trace");
        command.env("PORT", "0").envs(environment.iter().copied());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let output = Arc::new(Mutex::new(String::new()));
        let readers =
            vec![read(child.stdout.take().unwrap(), &output), read(child.stderr.take().unwrap(), &output)];
        let mut demo = Self { child, output, readers, url: String::new() };
        until("the demo listens", async || {
            let output = demo.output();
            assert!(demo.child.try_wait().unwrap().is_none(), "the demo ended:\n{output}");
            let url = output.lines().find_map(|line| line.strip_prefix("listening on "));
            demo.url = url.unwrap_or_default().to_owned();
            url.is_some()
        })
        .await;
        demo
    }

    /// What it has printed and logged so far.
    pub fn output(&self) -> String {
        self.output.lock().unwrap().clone()
    }

    /// The pid that the banner's line of `what` tells.
    pub fn pid_of(&self, what: &str) -> u32 {
        let output = self.output();
        let line = output.lines().find(|line| line.trim_start().starts_with(what)).unwrap();
        let (_, rest) = line.split_once("(pid ").unwrap();
        rest.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
    }

    /// Sends SIGTERM and waits for the end.
    pub async fn terminate(mut self) -> (ExitStatus, String) {
        signal("TERM", self.child.id());
        let mut status = None;
        until("the demo ends", async || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        })
        .await;
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
        (status.unwrap(), self.output())
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // By its id, through the handle; an error means that it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("--- the demo's output\n{}\n---", self.output());
        }
    }
}

pub fn signal(name: &str, pid: u32) {
    assert!(Command::new("kill").args(["-s", name, &pid.to_string()]).status().unwrap().success());
}

fn read(stream: impl Read + Send + 'static, output: &Arc<Mutex<String>>) -> JoinHandle<()> {
    let output = Arc::clone(output);
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let mut output = output.lock().unwrap();
            output.push_str(&line);
            output.push('\n');
        }
    })
}
