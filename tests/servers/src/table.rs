//! The machine's process table.

use std::io;
#[cfg(not(target_os = "linux"))]
use std::process::Command;

/// Whether the process runs, sleeps or is stopped. One that is dead and only waits to be collected counts as dead.
#[must_use]
pub fn is_alive(pid: u32) -> bool {
    !matches!(state(pid), None | Some('Z' | 'X'))
}

/// The letter of `ps`: `T` is stopped, `Z` is dead and not yet collected.
pub(crate) fn state(pid: u32) -> Option<char> {
    read(pid).map(|(state, _)| state)
}

/// State and parent, from the fields after the name, which is in parentheses and may itself hold any character.
#[cfg(target_os = "linux")]
fn read(pid: u32) -> Option<(char, u32)> {
    // Not `ps`: slim container images have none.
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

#[cfg(not(target_os = "linux"))]
fn read(pid: u32) -> Option<(char, u32)> {
    let output = Command::new("ps").args(["-o", "state=,ppid=", "-p", &pid.to_string()]).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut fields = text.split_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

/// The direct children of a process.
#[cfg(target_os = "linux")]
pub(crate) fn children(parent: u32) -> io::Result<Vec<u32>> {
    let mut children = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        if read(pid).is_some_and(|(_, its_parent)| its_parent == parent) {
            children.push(pid);
        }
    }
    Ok(children)
}

/// The direct children of a process.
#[cfg(not(target_os = "linux"))]
pub(crate) fn children(parent: u32) -> io::Result<Vec<u32>> {
    let output = Command::new("ps").args(["-A", "-o", "pid=,ppid="]).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let pairs = text.lines().filter_map(|line| {
        let mut fields = line.split_whitespace().map(str::parse::<u32>);
        Some((fields.next()?.ok()?, fields.next()?.ok()?))
    });
    Ok(pairs.filter(|&(_, its_parent)| its_parent == parent).map(|(pid, _)| pid).collect())
}
