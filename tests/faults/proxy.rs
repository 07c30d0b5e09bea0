//! A connection that can be cut at will: bytes pass until the plan says stop.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

/// Between a client and Redis, on a loopback port of its own.
pub struct Proxy {
    port: u16,
    plan: Arc<Plan>,
}

#[derive(Default)]
struct Plan {
    armed: AtomicBool,
    /// A script was asked for since: what comes back now is its reply.
    asked: AtomicBool,
    /// How many bytes of replies still pass once a script was asked for.
    left: AtomicUsize,
    cuts: AtomicUsize,
}

impl Proxy {
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Self { port: listener.local_addr().unwrap().port(), plan: Arc::default() };
        let plan = Arc::clone(&proxy.plan);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else { continue };
                let ((from_client, to_client), (from_server, to_server)) =
                    (client.into_split(), server.into_split());
                tokio::spawn(requests(from_client, to_server, Arc::clone(&plan)));
                tokio::spawn(replies(from_server, to_client, Arc::clone(&plan)));
            }
        });
        proxy
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Cuts the connection once, after `bytes` of what answers the next script.
    pub fn cut_after(&self, bytes: usize) {
        self.plan.left.store(bytes, Ordering::SeqCst);
        self.plan.asked.store(false, Ordering::SeqCst);
        self.plan.armed.store(true, Ordering::SeqCst);
    }

    pub fn cuts(&self) -> usize {
        self.plan.cuts.load(Ordering::SeqCst)
    }
}

async fn requests(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, plan: Arc<Plan>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        if buffer[..read].windows(7).any(|window| window == b"EVALSHA") {
            plan.asked.store(true, Ordering::SeqCst);
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

async fn replies(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, plan: Arc<Plan>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        if plan.asked.load(Ordering::SeqCst) && plan.armed.load(Ordering::SeqCst) {
            let left = plan.left.load(Ordering::SeqCst);
            if left < read {
                plan.armed.store(false, Ordering::SeqCst);
                plan.cuts.fetch_add(1, Ordering::SeqCst);
                let _ = to.write_all(&buffer[..left]).await;
                // Dropping both halves closes the connection in both directions.
                return;
            }
            plan.left.fetch_sub(read, Ordering::SeqCst);
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
