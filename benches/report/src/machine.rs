//! What a figure depends on: the machine, the versions, the load that it had to begin with.

use std::{fs, process::Command};

use serde_json::{Value, json};

pub(crate) fn describe() -> Value {
    json!({
        "at": said("date", &["-u", "+%Y-%m-%d %H:%M UTC"]),
        "commit": said("git", &["-C", env!("CARGO_MANIFEST_DIR"), "describe", "--always", "--dirty"]),
        "command": command(),
        "cpu": cpu(),
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "memory": line_of("/proc/meminfo", "MemTotal:"),
        "kernel": said("uname", &["-sr"]),
        "load": fs::read_to_string("/proc/loadavg").unwrap_or_default().trim(),
        "rustc": said("rustc", &["--version"]),
        "redis": said("redis-server", &["--version"]).split_whitespace().nth(2).map(str::to_owned),
    })
}

/// The settings only: where the program lies is nobody's concern.
fn command() -> String {
    let settings = ["BENCH_", "DRAIN_", "GROWTH_"];
    let environment =
        std::env::vars().filter(|(name, _)| settings.iter().any(|start| name.starts_with(start)));
    let mut words: Vec<String> = environment.map(|(name, value)| format!("{name}={value}")).collect();
    words.sort();
    words.extend(std::env::args().skip(1));
    words.join(" ")
}

fn cpu() -> String {
    let name = line_of("/proc/cpuinfo", "model name");
    name.trim_start_matches([':', '\t', ' ']).to_owned()
}

fn line_of(file: &str, start: &str) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines().find_map(|line| line.strip_prefix(start)).unwrap_or_default().trim().to_owned()
}

/// What a program answers in one line; empty where there is no such program.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}
