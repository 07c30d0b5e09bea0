//! Ports on 127.0.0.1 that stay ours while a server is down.

use std::{
    env,
    fs::{self, File},
    io,
    net::{Ipv4Addr, TcpListener},
    os::unix::fs::MetadataExt,
    process,
    sync::atomic::{AtomicU16, Ordering},
};

/// Redis Cluster talks to itself on the data port plus this.
const BUS: u16 = 10_000;

/// From here ...
const FIRST: u16 = 11_000;
/// ... this many. Ports and buses (21,000 to 31,999) are all below 32,768, where Linux begins to
/// take ports for outgoing connections. A port from up there, which is what binding port 0 gives,
/// can be taken by any client while the server is down, and then `restart` fails.
const COUNT: u16 = 10_000;

/// A data port, and its bus port, reserved until drop.
///
/// The reservation is a lock on a file that is named after the port. It holds between processes,
/// it outlives a kill of the server, and the kernel releases it when this process dies.
#[derive(Debug)]
pub(crate) struct Port {
    number: u16,
    _lock: File,
}

impl Port {
    /// Reserves a port on which nobody listens now.
    ///
    /// Who does not know our locks can still take it before the server does; the server then does
    /// not start, and the caller takes another.
    pub(crate) fn free() -> io::Result<Self> {
        static TURN: AtomicU16 = AtomicU16::new(0);
        // Test processes that run side by side begin at different places.
        let start = process::id().wrapping_mul(2_654_435_761) >> 16;

        let locks = env::temp_dir().join(format!("servers-ports-{}", own_user()?));
        fs::create_dir_all(&locks)?;

        for _ in 0..COUNT {
            let turn = u32::from(TURN.fetch_add(1, Ordering::Relaxed));
            let offset = (start + turn) % u32::from(COUNT);
            let number = FIRST + u16::try_from(offset).unwrap_or(0);

            let lock = File::create(locks.join(number.to_string()))?;
            if lock.try_lock().is_ok() && is_free(number) && is_free(number + BUS) {
                return Ok(Self {
                    number,
                    _lock: lock,
                });
            }
        }
        Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            "no free port on 127.0.0.1 between 11000 and 20999",
        ))
    }

    pub(crate) fn number(&self) -> u16 {
        self.number
    }

    pub(crate) fn bus(&self) -> u16 {
        self.number + BUS
    }
}

fn is_free(number: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok()
}

/// The user who owns what this process creates: the files of another user cannot be locked.
fn own_user() -> io::Result<u32> {
    Ok(tempfile::tempfile()?.metadata()?.uid())
}
