//! cloakroom beside other session libraries, over HTTP, in one run on one machine:
//!
//! ```sh
//! cargo run --release --manifest-path benches/peers/Cargo.toml
//! cargo run --release --manifest-path benches/peers/Cargo.toml -- --rounds 5 --millis 200 --only raw,ours-axum
//! cargo run --release --manifest-path benches/peers/Cargo.toml -- --smoke      # that it runs; no figure
//! ```
//!
//! Each server is a process of its own, and Redis is a private one that keeps nothing on disk. The load comes from
//! this process, on one thread. Measured with one connection, all three on one core, for the latency; and with 64
//! connections, unpinned, for the throughput. The results are in `target/measured/peers.jsonl`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a benchmark may stop"
)]

mod client;
mod cost;
mod increments;
mod load;
mod peer;
mod rounds;
mod servers;
mod table;

use std::{io, time::Duration};

use peer::Peer;
use report::Results;
use rounds::Plan;
use serde_json::json;

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        // As any server: as many threads as cores.
        ["serve", name, redis] if name.contains("actix") => {
            actix_web::rt::System::new().block_on(servers::serve(name, redis))
        }
        ["serve", name, redis] => tokio::runtime::Runtime::new()?.block_on(servers::serve(name, redis)),
        _ => {
            tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(drive(&arguments))?
        }
    }
    Ok(())
}

async fn drive(arguments: &[String]) -> io::Result<()> {
    let value =
        |name: &str| arguments.iter().position(|word| word == name).and_then(|at| arguments.get(at + 1));
    let number = |name: &str, or: u64| value(name).map_or(or, |text| text.parse().unwrap());
    let smoke = arguments.iter().any(|word| word == "--smoke");
    let (rounds, millis) = if smoke { (1, 30) } else { (15, 300) };
    let plan = Plan {
        rounds: number("--rounds", rounds) as usize,
        lasting: Duration::from_millis(number("--millis", millis)),
    };
    let only = value("--only").map(|names| names.split(',').collect::<Vec<_>>());
    let mut names: Vec<&'static str> = servers::NAMES.iter().map(|(name, _)| *name).collect();
    names.retain(|name| only.as_ref().is_none_or(|only| only.contains(name)));
    let mut results = Results::start("peers", smoke)?;
    if names.contains(&"express")
        && let Some(why) = peer::without_express()
    {
        eprintln!("peers: SKIPPED express: {why}");
        results.add("skipped", json!({ "peer": "express", "why": why }))?;
        names.retain(|name| *name != "express");
    }

    let redis = ::servers::Redis::start()?;
    let peers = names.iter().map(|name| Peer::start(name, &redis.url())).collect::<io::Result<Vec<_>>>()?;
    for (name, about) in servers::NAMES {
        results.add("peer", json!({ "peer": name, "about": about }))?;
    }
    let measured = rounds::run(&peers, &redis, &plan, &mut results).await?;
    drop(peers);
    let mut counted = Vec::new();
    for name in names.iter().filter(|name| **name != "bare") {
        counted.extend(increments::run(name, &redis.url(), &mut results).await?);
    }
    table::print(&measured, &counted);
    Ok(())
}
