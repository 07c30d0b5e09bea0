//! One Chromium without a window, to be driven by its DevTools protocol.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use crate::process::{Plan, Process};
use crate::{folder, installed, table, wait};

/// It reads a hundred megabytes before it says anything: a cold disk takes its time.
const READY_BOUND: Duration = Duration::from_secs(60);

/// A Chromium with a profile of its own, which knows no other host than this machine.
#[derive(Debug)]
pub struct Chromium {
    // Before the folder: the browser goes first.
    process: Process,
    folder: TempDir,
    url: String,
}

/// Beside what says where it has its files.
const ARGUMENTS: &[&str] = &[
    "--headless=new",
    // The sandbox can't be had as root, nor in most containers. All that it is shown is ours.
    "--no-sandbox",
    "--disable-gpu",
    // Containers have little of it.
    "--disable-dev-shm-usage",
    "--remote-debugging-port=0",
    // It asks nobody for anything: no updates, no lists, no reports; and no proxy of the machine's.
    "--disable-background-networking",
    "--disable-breakpad",
    "--disable-client-side-phishing-detection",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-sync",
    "--disable-features=MediaRouter,OptimizationHints,Translate,AutofillServerCommunication,CertificateTransparencyComponentUpdater",
    "--metrics-recording-only",
    "--no-default-browser-check",
    "--no-first-run",
    "--no-proxy-server",
    "--no-pings",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE localhost , EXCLUDE 127.0.0.1",
    // A tab behind another is looked at by the test all the same.
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "about:blank",
];

impl Chromium {
    /// Starts a browser.
    ///
    /// # Errors
    ///
    /// Chromium is not installed or does not start; the error holds the end of its log.
    pub fn start() -> io::Result<Self> {
        let program = installed::require_chromium()?;
        let folder = folder::make("chromium", None)?;
        let profile = folder.path().join("profile");

        let mut command: Vec<OsString> = vec!["env".into()];
        // What it keeps beside its profile goes away with the folder, too.
        for name in ["HOME", "TMPDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"] {
            command.push(assignment(name, folder.path()));
        }
        command.push(program.into());
        command.push(assignment("--user-data-dir", &profile));
        command.extend(ARGUMENTS.iter().map(OsString::from));

        // Nothing that it could still write is wanted, and its children end with it.
        let process = Process::start(Plan { dir: folder.path(), quit: "KILL", command, account: None })?;
        let mut chromium = Self { process, folder, url: String::new() };
        chromium.url = chromium.wait_until_ready(&profile)?;
        Ok(chromium)
    }

    /// The WebSocket of the DevTools protocol, for the browser as a whole.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The browser's folder: its log and its profile.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.folder.path()
    }

    /// The id of the browser's own process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// The ids of that and of everything that it has started.
    ///
    /// # Errors
    ///
    /// The process table can't be read.
    pub fn family(&self) -> io::Result<Vec<u32>> {
        let (mut family, mut asked) = (vec![self.pid()], 0);
        while let Some(&pid) = family.get(asked) {
            family.extend(table::children(pid)?);
            asked += 1;
        }
        Ok(family)
    }

    /// The port and the path, which it writes into its profile once it listens.
    fn wait_until_ready(&self, profile: &Path) -> io::Result<String> {
        let mut url = None;
        wait::until(READY_BOUND, Duration::from_millis(10), || {
            let told = std::fs::read_to_string(profile.join("DevToolsActivePort")).unwrap_or_default();
            let mut lines = told.lines();
            if let (Some(port), Some(path)) = (lines.next(), lines.next()) {
                url = Some(format!("ws://127.0.0.1:{port}{path}"));
            }
            url.is_some() || !self.process.is_alive()
        });
        url.ok_or_else(|| folder::start_error("Chromium", self.folder.path()))
    }
}

fn assignment(name: &str, value: &Path) -> OsString {
    let mut assignment = OsString::from(name);
    assignment.push("=");
    assignment.push(value);
    assignment
}
