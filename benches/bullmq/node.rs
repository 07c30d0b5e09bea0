//! BullMQ, in programs of its own.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

const FILES: [&str; 5] = ["package.json", "package-lock.json", "rows.js", "fill.js", "drain.js"];

/// The programs with the packages that they need, apart from the sources.
pub(crate) struct Node {
    folder: PathBuf,
}

impl Node {
    /// Copies the programs and installs their packages.
    ///
    /// By `npm install` and not `npm ci`: the lock file lacks the binaries for other systems, which `npm ci`
    /// takes for a lock file that does not fit. What is locked is installed as it is locked, either way.
    pub(crate) fn install() -> Result<Self, String> {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bullmq");
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/bullmq");
        fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        for name in FILES {
            fs::copy(sources.join(name), folder.join(name)).map_err(|error| error.to_string())?;
        }
        let node = Self { folder };
        node.run("node", &["--version"]).map_err(|error| format!("no node: {error}"))?;
        let install = ["install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund"];
        node.run("npm", &install).map_err(|error| format!("npm cannot install its packages: {error}"))?;
        Ok(node)
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Node's, and BullMQ's.
    pub(crate) fn versions(&self) -> String {
        let script = "console.log('node ' + process.versions.node + ', bullmq ' + \
            JSON.parse(require('fs').readFileSync('node_modules/bullmq/package.json')).version)";
        self.run("node", &["--input-type=commonjs", "-e", script]).unwrap().trim().to_owned()
    }

    /// Puts the events of a file into the queue.
    pub(crate) fn fill(&self, redis: u16, events: &Path) {
        self.run("node", &["fill.js", &redis.to_string(), events.to_str().unwrap()]).unwrap();
    }

    /// Brings them into PostgreSQL, and answers with the seconds that it took.
    pub(crate) fn drain(&self, way: &str, redis: u16, postgres: &str, count: usize) -> f64 {
        let arguments = ["drain.js", way, &redis.to_string(), postgres, &count.to_string()];
        let millis: f64 = self.run("node", &arguments).unwrap().trim().parse().unwrap();
        millis / 1e3
    }

    fn run(&self, program: &str, arguments: &[&str]) -> io::Result<String> {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&self.folder).env("NODE_ENV", "production");
        let output = command.stdin(Stdio::null()).output()?;
        if !output.status.success() {
            return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).trim_end().to_owned()));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}
