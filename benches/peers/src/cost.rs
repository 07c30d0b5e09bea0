//! What Redis was asked, as it counts itself, and where processes run.

use std::{collections::BTreeMap, io, process::Command};

/// Redis' own count of what it was asked.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// Calls by command. What a script calls is counted, too.
    pub commands: BTreeMap<String, u64>,
    /// How often it read from a connection: on a single connection, the round trips.
    pub reads: u64,
}

impl Asked {
    pub fn of(redis: &servers::Redis) -> io::Result<Self> {
        let mut commands = redis.command_calls();
        // Our own questions.
        commands.retain(|name, _| !["info", "config|resetstat"].contains(&name.as_str()));
        let info = redis.command(&["INFO", "stats"])?;
        let reads =
            info.lines().find_map(|line| line.strip_prefix("total_reads_processed:")?.trim().parse().ok());
        Ok(Self { commands, reads: reads.unwrap_or_default() })
    }
}

/// Keeps a process, all its threads included, on these cores: `0` or `0-1`. Without `taskset` nothing happens.
pub fn pin(pid: u32, cores: &str) -> bool {
    let status = Command::new("taskset").args(["-a", "-c", "-p", cores, &pid.to_string()]).output();
    status.is_ok_and(|output| output.status.success())
}
