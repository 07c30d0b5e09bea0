//! Several workers, whose handlers stay on their threads.

use std::{
    collections::HashSet,
    rc::Rc,
    sync::{Arc, Mutex},
    thread::{self, ThreadId},
};

use actix_web::web::{self, ServiceConfig};
use cloakroom::{actix::SessionMiddleware, error::Error, session::Session, store::MemoryStore};
use tokio::{io::AsyncReadExt as _, sync::Barrier};

use super::server::{Connection, Server};

const CLIENTS: usize = 8;

#[derive(Clone)]
struct Seen {
    threads: Arc<Mutex<HashSet<ThreadId>>>,
    all_here: Arc<Barrier>,
}

/// Not `Send`, since it holds an `Rc` while it waits.
async fn count(session: Session, seen: web::Data<Seen>) -> Result<&'static str, Error> {
    let local = Rc::new(thread::current().id());
    session.update("n", |n: Option<usize>| n.unwrap_or(0) + 1)?;
    // All have loaded before the first commits: they are concurrent, on whichever thread.
    seen.all_here.wait().await;
    seen.threads.lock().unwrap().insert(*local);
    Ok("counted")
}

async fn begin(session: Session) -> Result<&'static str, Error> {
    session.insert("n", &0).map(|()| "begun")
}

async fn read(session: Session) -> Result<String, Error> {
    Ok(session.get::<usize>("n")?.unwrap_or(0).to_string())
}

#[tokio::test]
async fn workers_share_the_sessions_and_lose_no_update() {
    let seen = Seen { threads: Arc::default(), all_here: Arc::new(Barrier::new(CLIENTS)) };
    let data = web::Data::new(seen.clone());
    let routes = move |config: &mut ServiceConfig| {
        config.app_data(data.clone());
        config.route("/", web::get().to(begin)).route("/count", web::get().to(count));
        config.route("/read", web::get().to(read));
    };
    let server = Server::start(3, SessionMiddleware::new(MemoryStore::new()), routes);
    let head = server.get("/", "").await.head().await;
    let cookie = Connection::cookie(&head);

    let mut connections = Vec::new();
    for _ in 0..CLIENTS {
        connections.push(server.get("/count", &cookie).await);
    }
    for connection in &mut connections {
        let head = connection.head().await;
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    }
    assert_eq!(seen.threads.lock().unwrap().len(), 3, "every worker had one");

    let mut connection = server.get("/read", &format!("{cookie}connection: close\r\n")).await;
    let mut answer = String::new();
    connection.stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with(&format!("\r\n\r\n{CLIENTS}")), "{answer}");
}
