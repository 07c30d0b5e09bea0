//! Reading the raw results.

use std::{fs, io, path::Path};

use serde_json::{Value, json};

/// Every line of every benchmark.
pub(crate) struct Raw(Vec<Value>);

impl Raw {
    pub(crate) fn read(folder: &Path) -> io::Result<Self> {
        let mut lines = Vec::new();
        for file in files(folder)? {
            if file.extension().is_some_and(|end| end == "jsonl") {
                lines.extend(parse(&fs::read_to_string(&file)?));
            }
        }
        lines.extend(criterion(&folder.join("../criterion")));
        Ok(Self(lines))
    }

    #[cfg(test)]
    pub(crate) fn of_lines(text: &str) -> Self {
        Self(parse(text).collect())
    }

    /// The measurements of a kind.
    pub(crate) fn of<'a>(&'a self, bench: &'a str, what: &'a str) -> impl Iterator<Item = &'a Value> {
        self.0.iter().filter(move |line| line["bench"] == bench && line["what"] == what)
    }
}

/// The last line of a run that was stopped may be half a line.
fn parse(text: &str) -> impl Iterator<Item = Value> {
    text.lines().filter_map(|line| serde_json::from_str(line).ok())
}

/// A figure of a measurement; NaN where it has none.
pub(crate) fn number(row: &Value, figure: &str) -> f64 {
    row[figure].as_f64().unwrap_or(f64::NAN)
}

/// What criterion keeps of each of its benchmarks, in nanoseconds.
fn criterion(folder: &Path) -> Vec<Value> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let read = |name: &str| -> Option<Value> {
            serde_json::from_str(&fs::read_to_string(folder.join(name)).ok()?).ok()
        };
        if let (Some(estimates), Some(benchmark)) = (read("estimates.json"), read("benchmark.json")) {
            // Beside `new` there is a copy of it, `base`.
            if folder.ends_with("new") {
                let median = &estimates["median"];
                found.push(json!({
                    "bench": "micro", "what": "function", "name": benchmark["full_id"],
                    "ns": median["point_estimate"],
                    "low": median["confidence_interval"]["lower_bound"],
                    "high": median["confidence_interval"]["upper_bound"],
                }));
            }
        } else {
            folders.extend(files(&folder).unwrap_or_default().into_iter().filter(|file| file.is_dir()));
        }
    }
    found.sort_by_key(|line| line["name"].to_string());
    found
}

fn files(folder: &Path) -> io::Result<Vec<std::path::PathBuf>> {
    let mut files = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    files.sort();
    Ok(files)
}
