//! A server under test: a process of its own, which ends when we let go of it or die.

use std::{
    io::{self, BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use crate::client::{Client, request};

pub struct Peer {
    pub name: &'static str,
    pub port: u16,
    child: Child,
}

impl Peer {
    pub fn start(name: &'static str, redis: &str) -> io::Result<Self> {
        let mut command = if name == "express" {
            let mut node = Command::new("node");
            node.env("NODE_ENV", "production").arg(express().join("server.js")).arg(redis);
            node
        } else {
            let mut ours = Command::new(std::env::current_exe()?);
            ours.args(["serve", name, redis]);
            ours
        };
        // The end of its input is its order to end: it comes also when we are killed.
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        if let Some(output) = child.stdout.take() {
            BufReader::new(output).read_line(&mut line)?;
        }
        let port = line.trim().parse().map_err(|_| io::Error::other(format!("{name} does not start")))?;
        Ok(Self { name, port, child })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sessions of their own, as `Cookie` lines.
    pub async fn begin(&self, sessions: usize) -> io::Result<Vec<String>> {
        let mut client = Client::connect(self.port).await?;
        let mut cookies = Vec::new();
        for _ in 0..sessions {
            let answer = client.answer(&request("POST", "/begin", "")).await?;
            if answer.status != 200 || answer.cookies().is_empty() {
                return Err(io::Error::other(format!("{}: no session but {}", self.name, answer.head)));
            }
            cookies.push(answer.cookies());
        }
        Ok(cookies)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

fn express() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("express")
}

/// Why the express server cannot take part, if it can't. Installs its packages at the first time.
pub fn without_express() -> Option<String> {
    let runs = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(express()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    if !runs("node", &["--version"]) {
        return Some("node is not installed".to_owned());
    }
    let installed = express().join("node_modules/connect-redis").exists();
    // No lock file: it would name the registry of whoever made it. The versions are exact in package.json.
    if !installed && !runs("npm", &["install", "--no-package-lock", "--no-audit", "--no-fund"]) {
        return Some("npm cannot install its packages".to_owned());
    }
    None
}
