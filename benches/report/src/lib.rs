//! What a benchmark measured, as JSON lines: one object a measurement, the machine in the first.
//!
//! A benchmark opens its [`Results`] once and adds to them. `cargo run -p report` makes the page of them.
//!
//! | file | by |
//! |---|---|
//! | `target/measured/NAME.jsonl` | the last full run of benchmark NAME |
//! | `target/measured/smoke/NAME.jsonl` | its last short run, which only proves that it runs |

#![forbid(unsafe_code)]
#![warn(missing_docs, unreachable_pub, clippy::unwrap_used, clippy::expect_used)]

mod machine;
mod process;
mod results;
pub mod statistics;

pub use process::cpu;
pub use results::{Results, folder, is_smoke};
