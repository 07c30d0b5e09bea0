//! The rounds: in each, every server once, one after the other, beginning with another one each time. What
//! disturbs a round disturbs all of them, so only ratios within one round are compared.

use std::{collections::BTreeMap, io, time::Duration};

use report::{Results, cpu, statistics::quantile};
use serde_json::json;

use crate::{
    cost::{Asked, pin},
    load::Load,
    peer::Peer,
};

/// What is asked of a server.
pub const ROUTES: [(&str, &str); 2] = [("read", "GET"), ("write", "POST")];
/// The server by hand is measured twice a round: how far it is from itself is the noise.
pub const AGAIN: &str = "raw-again";

#[derive(Clone, Debug)]
pub struct Measured {
    pub peer: &'static str,
    pub route: &'static str,
    pub connections: usize,
    pub round: usize,
    pub p50: f64,
    pub p99: f64,
    pub per_second: f64,
    pub server_cpu: f64,
    pub redis_cpu: f64,
    pub commands: f64,
    pub reads: f64,
}

pub struct Plan {
    pub rounds: usize,
    pub lasting: Duration,
}

pub async fn run(
    peers: &[Peer],
    redis: &servers::Redis,
    plan: &Plan,
    results: &mut Results,
) -> io::Result<Vec<Measured>> {
    let mut all = Vec::new();
    let mut sessions = BTreeMap::new();
    for peer in peers {
        let cookies = peer.begin(64).await?;
        // Node compiles what is hot, and every allocator grows to its size: before the rounds.
        for (route, method) in ROUTES {
            let load = Load::open(peer.port, method, &format!("/{route}"), &cookies[..8]).await?;
            load.run(plan.lasting * 5).await?;
        }
        sessions.insert(peer.name, cookies);
    }
    let mut order: Vec<(&Peer, &'static str)> = peers.iter().map(|peer| (peer, peer.name)).collect();
    order.extend(peers.iter().filter(|peer| peer.name == "raw").map(|peer| (peer, AGAIN)));
    for connections in [1, 64] {
        // One round trip between two cores varies threefold with where the scheduler puts the two; on one core it
        // does not. With many connections both cores are busy all the time, as in production.
        let cores = if connections == 1 { "0".to_owned() } else { every_core() };
        let processes = peers.iter().map(Peer::pid).chain([redis.pid(), std::process::id()]);
        if !processes.into_iter().fold(true, |pinned, pid| pin(pid, &cores) && pinned) {
            eprintln!(
                "peers: without taskset, the latencies are those of wherever the scheduler puts things"
            );
        }
        for round in 0..plan.rounds {
            order.rotate_left(1);
            for (route, method) in ROUTES {
                for (peer, name) in &order {
                    let cookies = &sessions[peer.name][..connections];
                    let load = Load::open(peer.port, method, &format!("/{route}"), cookies).await?;
                    let measured = measure(peer, redis, load, plan.lasting).await?;
                    let measured = Measured { peer: name, route, connections, round, ..measured };
                    results.add("http", measured.to_json())?;
                    all.push(measured);
                }
            }
            eprintln!("peers: {connections} connections, round {} of {}", round + 1, plan.rounds);
        }
    }
    Ok(all)
}

async fn measure(peer: &Peer, redis: &servers::Redis, load: Load, lasting: Duration) -> io::Result<Measured> {
    redis.reset_stats()?;
    let before = (cpu(peer.pid()), cpu(redis.pid()));
    let outcome = load.run(lasting).await?;
    let after = (cpu(peer.pid()), cpu(redis.pid()));
    let asked = Asked::of(redis)?;
    let requests = outcome.latencies.len() as f64;
    Ok(Measured {
        peer: peer.name,
        route: "",
        connections: 0,
        round: 0,
        p50: quantile(&outcome.latencies, 0.5),
        p99: quantile(&outcome.latencies, 0.99),
        per_second: requests / outcome.elapsed.as_secs_f64(),
        server_cpu: (after.0 - before.0) / requests,
        redis_cpu: (after.1 - before.1) / requests,
        commands: asked.commands.values().sum::<u64>() as f64 / requests,
        reads: asked.reads as f64 / requests,
    })
}

impl Measured {
    fn to_json(&self) -> serde_json::Value {
        json!({
            "peer": self.peer, "route": self.route, "connections": self.connections, "round": self.round,
            "p50_us": self.p50, "p99_us": self.p99, "per_second": self.per_second,
            "server_cpu_us": self.server_cpu, "redis_cpu_us": self.redis_cpu,
            "commands": self.commands, "redis_reads": self.reads,
        })
    }
}

fn every_core() -> String {
    // Of the machine, not of this process, which may be on one core now.
    let text = std::fs::read_to_string("/sys/devices/system/cpu/online").unwrap_or_default();
    if text.trim().is_empty() { "0".to_owned() } else { text.trim().to_owned() }
}
