//! Between the application and Redis: replaces a piece of a script, and loses a reply.
//!
//! The client calls scripts by the hash of the text that it knows. The text that it loads is replaced on its
//! way, and from then on the hash in each call, so that the broken script is what really runs.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
};

use redis::Script;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

use crate::mutants::Mutant;

pub struct Proxy {
    port: u16,
    plan: Arc<Plan>,
}

#[derive(Default)]
struct Plan {
    mutant: Option<&'static Mutant>,
    /// The hash of the text that runs, by that of the text that was asked for.
    hashes: Mutex<HashMap<Vec<u8>, Vec<u8>>>,
    replaced: AtomicUsize,
    lose: AtomicBool,
    lost: AtomicUsize,
}

impl Proxy {
    pub async fn to(port: u16, mutant: Option<&'static Mutant>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let plan = Arc::new(Plan { mutant, ..Plan::default() });
        let proxy = Self { port: listener.local_addr().unwrap().port(), plan: Arc::clone(&plan) };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else { continue };
                client.set_nodelay(true).unwrap();
                server.set_nodelay(true).unwrap();
                let ((from_client, to_client), (from_server, to_server)) =
                    (client.into_split(), server.into_split());
                let cut = Arc::new(AtomicBool::new(false));
                tokio::spawn(requests(from_client, to_server, Arc::clone(&plan), Arc::clone(&cut)));
                tokio::spawn(replies(from_server, to_client, Arc::clone(&plan), cut));
            }
        });
        proxy
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The connection is cut when the answer to the next call of a script comes back.
    pub fn lose_a_reply(&self) {
        self.plan.lose.store(true, SeqCst);
    }

    pub fn lost(&self) -> usize {
        self.plan.lost.load(SeqCst)
    }

    /// How many calls went to the broken script.
    pub fn replaced(&self) -> usize {
        self.plan.replaced.load(SeqCst)
    }
}

async fn requests(from: OwnedReadHalf, mut to: OwnedWriteHalf, plan: Arc<Plan>, cut: Arc<AtomicBool>) {
    let mut from = BufReader::new(from);
    while let Some(mut command) = read(&mut from).await {
        let verb = command[0].to_ascii_uppercase();
        if verb == b"SCRIPT" && command[1].eq_ignore_ascii_case(b"LOAD") {
            plan.break_script(&mut command[2]);
        }
        if verb == b"EVALSHA" {
            if let Some(hash) = plan.hashes.lock().unwrap().get(&command[1]) {
                command[1].clone_from(hash);
                plan.replaced.fetch_add(1, SeqCst);
            }
            if plan.lose.swap(false, SeqCst) {
                cut.store(true, SeqCst);
            }
        }
        let mut bytes = format!("*{}\r\n", command.len()).into_bytes();
        for part in &command {
            bytes.extend_from_slice(format!("${}\r\n", part.len()).as_bytes());
            bytes.extend_from_slice(part);
            bytes.extend_from_slice(b"\r\n");
        }
        if to.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

impl Plan {
    fn break_script(&self, text: &mut Vec<u8>) {
        let Some(mutant) = self.mutant.filter(|mutant| mutant.source.as_bytes() == text.as_slice()) else {
            return;
        };
        let broken = mutant.source.replace(mutant.find, mutant.replace);
        let hash = |text: &str| Script::new(text).get_hash().as_bytes().to_vec();
        self.hashes.lock().unwrap().insert(hash(mutant.source), hash(&broken));
        *text = broken.into_bytes();
    }

    /// The client checks that what was loaded is what it sent. That reply is one short line.
    fn hide(&self, reply: &mut [u8]) {
        for (asked, runs) in self.hashes.lock().unwrap().iter() {
            // Several requests may have loaded it at once.
            while let Some(at) = reply.windows(runs.len()).position(|window| window == runs.as_slice()) {
                reply[at..at + asked.len()].copy_from_slice(asked);
            }
        }
    }
}

/// One command, as clients write it: an array of strings.
async fn read(from: &mut BufReader<OwnedReadHalf>) -> Option<Vec<Vec<u8>>> {
    let parts = number(from, b'*').await?;
    let mut command = Vec::with_capacity(parts);
    for _ in 0..parts {
        let mut part = vec![0; number(from, b'$').await? + 2];
        from.read_exact(&mut part).await.ok()?;
        part.truncate(part.len() - 2);
        command.push(part);
    }
    Some(command)
}

async fn number(from: &mut BufReader<OwnedReadHalf>, sign: u8) -> Option<usize> {
    let mut line = Vec::new();
    from.read_until(b'\n', &mut line).await.ok()?;
    let digits = line.strip_prefix(&[sign])?.strip_suffix(b"\r\n")?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

async fn replies(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, plan: Arc<Plan>, cut: Arc<AtomicBool>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        if cut.load(SeqCst) {
            // Dropping this half tells the client that the connection is over.
            plan.lost.fetch_add(1, SeqCst);
            return;
        }
        plan.hide(&mut buffer[..read]);
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
