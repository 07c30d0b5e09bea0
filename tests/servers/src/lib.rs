//! Private Redis and PostgreSQL servers, for tests, the demo and benches; and a private browser for the tests.
//!
//! Every value is a server of its own: own folder, own ports, nothing shared with the machine's services. Dropping the
//! value stops the server and removes its folder; so does the death of this process, however it dies.
//!
//! The whole API blocks, for tens of milliseconds as a rule and about a second for [`Postgres::start`]. In async code
//! call it before the work starts, or accept that it holds its thread.
//!
//! ```no_run
//! # fn main() -> std::io::Result<()> {
//! let mut redis = servers::Redis::durable()?;
//! redis.command(&["SET", "coat", "42"])?;
//! redis.kill()?;
//! redis.restart()?;
//! assert_eq!(redis.command(&["GET", "coat"])?, "42");
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]
#![warn(missing_docs, unreachable_pub, clippy::unwrap_used, clippy::expect_used)]

mod account;
mod chromium;
mod cluster;
mod folder;
pub mod installed;
mod ports;
mod postgres;
mod process;
mod redis;
mod resp;
mod table;
mod wait;

pub use chromium::Chromium;
pub use cluster::Cluster;
pub use postgres::Postgres;
pub use redis::Redis;
pub use table::is_alive;
