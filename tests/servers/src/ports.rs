//! Free ports on the loopback interface.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io;
use std::net::{Ipv4Addr, TcpListener};

/// Below what Linux (32768) and macOS (49152) hand out to clients. A server that is killed and restarted must find its
/// port free, and a port from the system's own range would go to the next connection anybody opens.
const FIRST: u16 = 10_000;
const COUNT: u16 = 22_000;

/// A port nobody listens on at this moment. Another process may take it before the server does: try again then.
pub(crate) fn free() -> io::Result<u16> {
    for _ in 0..200 {
        // The one source of randomness in std: its keys differ from value to value.
        let random = RandomState::new().hash_one(0) % u64::from(COUNT);
        let port = FIRST + random as u16;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    Err(io::Error::new(io::ErrorKind::AddrInUse, "no free port on 127.0.0.1"))
}
