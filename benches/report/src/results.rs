//! The files of raw results.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::PathBuf,
};

use serde_json::{Value, json};

use crate::machine;

/// One benchmark's file, replaced by each run.
#[derive(Debug)]
pub struct Results {
    name: &'static str,
    file: File,
}

impl Results {
    /// Starts the file of the benchmark `name`, with what the machine is.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn start(name: &'static str, smoke: bool) -> io::Result<Self> {
        let folder = if smoke { folder().join("smoke") } else { folder() };
        fs::create_dir_all(&folder)?;
        let mut results = Self { name, file: File::create(folder.join(name).with_extension("jsonl"))? };
        results.add("run", machine::describe())?;
        Ok(results)
    }

    /// Adds one measurement: `what` it is of, and an object of its numbers.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn add(&mut self, what: &str, numbers: Value) -> io::Result<()> {
        let mut line = json!({ "bench": self.name, "what": what });
        if let (Value::Object(line), Value::Object(numbers)) = (&mut line, numbers) {
            line.extend(numbers);
        }
        // One write a line, so that a run that is stopped leaves whole lines.
        self.file.write_all(format!("{line}\n").as_bytes())
    }
}

/// Where the files are: `target/measured`.
#[must_use]
pub fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/measured"))
}

/// Whether a benchmark was started as a test: `cargo bench` says `--bench`, `cargo test` does not. It then
/// proves that it runs, in a second or two, and measures nothing.
#[must_use]
pub fn is_smoke() -> bool {
    !std::env::args().any(|argument| argument == "--bench")
}
