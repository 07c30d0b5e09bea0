//! How many of 200 increments, all sent at the same time in one session, are still there afterwards.

use std::io;

use report::Results;
use serde_json::json;
use tokio::task::JoinSet;

use crate::{
    client::{Client, request},
    peer::Peer,
};

pub const INCREMENTS: usize = 200;

#[derive(Clone, Debug)]
pub struct Counted {
    pub peer: &'static str,
    pub instances: usize,
    pub counted: usize,
    /// How many were answered with 200: what was refused openly is not lost.
    pub accepted: usize,
}

/// Three tries with one instance and three with two, read by another one that remembers nothing of its own.
pub async fn run(name: &'static str, redis: &str, results: &mut Results) -> io::Result<Vec<Counted>> {
    let servers = [Peer::start(name, redis)?, Peer::start(name, redis)?, Peer::start(name, redis)?];
    let [first, second, reader] = &servers;
    let mut all = Vec::new();
    for instances in [&[first][..], &[first, second][..]] {
        for _ in 0..3 {
            let cookie = first.begin(1).await?.concat();
            let accepted = fire(instances, &cookie).await?;
            let mut client = Client::connect(reader.port).await?;
            let answer = client.answer(&request("GET", "/count", &cookie)).await?;
            let counted = answer.body.trim().parse().map_err(|_| io::Error::other(answer.head))?;
            let counted = Counted { peer: name, instances: instances.len(), counted, accepted };
            results.add(
                "increments",
                json!({
                    "peer": name, "instances": counted.instances, "sent": INCREMENTS,
                    "counted": counted.counted, "accepted": counted.accepted,
                }),
            )?;
            all.push(counted);
        }
    }
    Ok(all)
}

async fn fire(instances: &[&Peer], cookie: &str) -> io::Result<usize> {
    let request = request("POST", "/increment", cookie);
    let mut clients = Vec::new();
    for peer in instances.iter().cycle().take(INCREMENTS) {
        clients.push(Client::connect(peer.port).await?);
    }
    let mut tasks = JoinSet::new();
    for mut client in clients {
        let request = request.clone();
        tasks.spawn(async move { client.call(&request).await });
    }
    let answers = tasks.join_all().await;
    Ok(answers.iter().flatten().filter(|(status, ..)| *status == 200).count())
}
