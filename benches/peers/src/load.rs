//! The load: so many connections, each with a session of its own, each asking again as soon as it is answered.

use std::{
    io,
    time::{Duration, Instant},
};

use tokio::task::JoinSet;

use crate::client::{Client, request};

pub struct Outcome {
    /// In microseconds, one a request.
    pub latencies: Vec<f64>,
    pub elapsed: Duration,
}

/// Connections that are open and warm; what happens before is not measured.
pub struct Load {
    connections: Vec<(Client, Vec<u8>)>,
}

impl Load {
    pub async fn open(port: u16, method: &str, path: &str, cookies: &[String]) -> io::Result<Self> {
        let mut connections = Vec::new();
        for cookie in cookies {
            let mut client = Client::connect(port).await?;
            let request = request(method, path, cookie);
            for _ in 0..3 {
                client.call(&request).await?;
            }
            connections.push((client, request));
        }
        Ok(Self { connections })
    }

    pub async fn run(self, lasting: Duration) -> io::Result<Outcome> {
        let start = Instant::now();
        let mut tasks = JoinSet::new();
        for (mut client, request) in self.connections {
            tasks.spawn(async move {
                let mut latencies = Vec::with_capacity(4096);
                let mut before = start;
                while before - start < lasting {
                    let (status, ..) = client.call(&request).await?;
                    if status != 200 {
                        return Err(io::Error::other(format!("answered {status}")));
                    }
                    let now = Instant::now();
                    latencies.push((now - before).as_nanos() as f64 / 1e3);
                    before = now;
                }
                io::Result::Ok(latencies)
            });
        }
        let mut latencies = Vec::new();
        while let Some(task) = tasks.join_next().await {
            latencies.extend(task.map_err(io::Error::other)??);
        }
        Ok(Outcome { latencies, elapsed: start.elapsed() })
    }
}
