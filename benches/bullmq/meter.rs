//! What Redis says that it took.

/// Its counters at one moment.
pub(crate) struct Reading {
    memory: f64,
    cpu: f64,
    commands: u64,
}

/// What lies between two of them, for each entry.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    /// Bytes of `used_memory`.
    pub(crate) memory: f64,
    /// Microseconds of processor time.
    pub(crate) cpu: f64,
    /// Commands that ran, those inside scripts too.
    pub(crate) commands: f64,
}

impl Reading {
    pub(crate) fn of(redis: &servers::Redis) -> Self {
        let number = |section: &str, name: &str| -> f64 {
            let info = redis.command(&["INFO", section]).unwrap();
            let found = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            found.unwrap().trim().parse().unwrap()
        };
        Self {
            memory: number("memory", "used_memory"),
            cpu: 1e6 * (number("cpu", "used_cpu_user") + number("cpu", "used_cpu_sys")),
            commands: redis.command_calls().values().sum(),
        }
    }

    /// From this one to a later one.
    pub(crate) fn cost_until(&self, later: &Self, entries: usize) -> Cost {
        let entries = entries as f64;
        Cost {
            memory: (later.memory - self.memory) / entries,
            cpu: (later.cpu - self.cpu) / entries,
            commands: (later.commands - self.commands) as f64 / entries,
        }
    }
}
