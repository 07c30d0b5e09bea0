//! Keeps the demo's private servers running: kill one and see what happens.

use std::{
    io,
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread::{self, JoinHandle},
    time::Duration,
};

use servers::{Postgres, Redis};

/// How often it looks.
const LOOK: Duration = Duration::from_millis(100);

/// How long a dead server stays dead, so that the outage can be seen.
const OUTAGE: Duration = Duration::from_secs(3);

/// A thread that starts private servers again when somebody has killed them.
pub(crate) struct Keeper {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Keeper {
    pub(crate) fn new(redis: Option<Redis>, postgres: Option<Postgres>) -> Self {
        let (stop, asked) = mpsc::channel();
        // A thread, not a task: starting a server blocks.
        let thread = thread::spawn(move || {
            let mut servers: Vec<Box<dyn Server>> = Vec::new();
            servers.extend(redis.map(|redis| Box::new(redis) as Box<dyn Server>));
            servers.extend(postgres.map(|postgres| Box::new(postgres) as Box<dyn Server>));
            while let Err(RecvTimeoutError::Timeout) = asked.recv_timeout(LOOK) {
                for server in servers.iter_mut().filter(|server| !servers::is_alive(server.pid())) {
                    println!(
                        "{} is dead (pid {}); starting it again in {OUTAGE:?}",
                        server.name(),
                        server.pid()
                    );
                    if !matches!(asked.recv_timeout(OUTAGE), Err(RecvTimeoutError::Timeout)) {
                        return;
                    }
                    match server.restart() {
                        Ok(()) => println!("{} is back (pid {})", server.name(), server.pid()),
                        Err(error) => println!("{} does not start: {error}", server.name()),
                    }
                }
            }
        });
        Self { stop, thread }
    }

    /// Ends the servers and removes their data. Blocks for as long as that takes.
    pub(crate) fn stop(self) {
        drop(self.stop);
        // It holds nothing but the servers, which look after themselves if it panicked.
        let _ = self.thread.join();
    }
}

trait Server: Send {
    fn name(&self) -> &'static str;
    fn pid(&self) -> u32;
    fn restart(&mut self) -> io::Result<()>;
}

impl Server for Redis {
    fn name(&self) -> &'static str {
        "Redis"
    }

    fn pid(&self) -> u32 {
        self.pid()
    }

    fn restart(&mut self) -> io::Result<()> {
        self.restart()
    }
}

impl Server for Postgres {
    fn name(&self) -> &'static str {
        "PostgreSQL"
    }

    fn pid(&self) -> u32 {
        self.pid()
    }

    fn restart(&mut self) -> io::Result<()> {
        self.restart()
    }
}
