//! A server with a streaming body and a WebSocket; both do what they are told when the head has left.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Body,
    extract::{
        State,
        ws::{Message, WebSocketUpgrade},
    },
    response::Response,
    routing::{get, post},
};
use cloakroom::{
    error::{Error, Result},
    service::SessionLayer,
    session::{Saved, Session},
    store::RedisStore,
};
use futures_util::stream;
use servers::Redis;
use tokio::{net::TcpListener, sync::mpsc};

/// Orders to the next streaming body.
type Orders = Arc<Mutex<Option<mpsc::Receiver<String>>>>;

/// One server with a Redis of its own.
pub struct App {
    pub redis: Redis,
    pub address: String,
    pub orders: Orders,
}

impl App {
    pub async fn start() -> Self {
        let redis = Redis::start().unwrap();
        let store = RedisStore::new(redis.url()).unwrap();
        let orders = Orders::default();
        let router = Router::new()
            .route("/count", post(async |session: Session| count(&session)))
            .route("/read", get(async |session: Session| shown(&session)))
            .route("/logout", post(async |session: Session| session.logout()))
            .route("/stream", get(streaming))
            .route("/socket", get(socket))
            .layer(SessionLayer::new(store))
            .with_state(Arc::clone(&orders));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { redis, address, orders }
    }

    /// How many sessions there are.
    pub fn sessions(&self) -> usize {
        self.redis
            .command(&["KEYS", "session:*:s:*"])
            .unwrap()
            .lines()
            .filter(|line| !line.is_empty())
            .count()
    }
}

fn count(session: &Session) -> Result<String> {
    session.update("count", |count: Option<u64>| count.unwrap_or(0) + 1)?;
    shown(session)
}

fn shown(session: &Session) -> Result<String> {
    Ok(session.get::<u64>("count")?.unwrap_or(0).to_string())
}

async fn streaming(State(orders): State<Orders>, session: Session) -> Result<Body> {
    session.insert("opened", &true)?;
    let orders = orders.lock().unwrap().take().unwrap();
    let handles = Handles { apart: session.detach(), own: session };
    Ok(Body::from_stream(stream::unfold((orders, handles), async |(mut orders, handles)| {
        let order = orders.recv().await?;
        let line = handles.obey(&order).await + "\n";
        Some((Ok::<_, Infallible>(line), (orders, handles)))
    })))
}

async fn socket(upgrade: WebSocketUpgrade, session: Session) -> Result<Response> {
    session.insert("opened", &true)?;
    let handles = Handles { apart: session.detach(), own: session };
    Ok(upgrade.on_upgrade(async move |mut socket| {
        while let Some(Ok(Message::Text(order))) = socket.recv().await {
            let line = handles.obey(&order).await;
            if socket.send(Message::text(line)).await.is_err() {
                return;
            }
        }
    }))
}

/// The request's own handle, and the detached one.
struct Handles {
    own: Session,
    apart: Session,
}

impl Handles {
    async fn obey(&self, order: &str) -> String {
        match order {
            "write" => self.write(),
            "count" => match count(&self.apart) {
                Ok(_) => saved(self.apart.save().await),
                Err(error) => failed(&error),
            },
            "log out" => match self.apart.logout() {
                Ok(()) => saved(self.apart.save().await),
                Err(error) => failed(&error),
            },
            "read" => shown(&self.apart).unwrap(),
            "save" => saved(self.own.save().await),
            _ => panic!("no such order: {order}"),
        }
    }

    /// Everything that writes, by the request's own handle.
    fn write(&self) -> String {
        let own = &self.own;
        let results = [
            own.insert("late", &1),
            own.update("count", |_: Option<u64>| 1000),
            own.remove("opened"),
            own.clear(),
            own.login("mallory"),
            own.renew(),
            own.logout(),
            own.destroy(),
        ];
        let mut told: Vec<_> = results
            .iter()
            .map(|result| result.as_ref().map_or_else(failed, |()| "taken".to_owned()))
            .collect();
        told.dedup();
        told.join(", ")
    }
}

fn failed(error: &Error) -> String {
    format!("{:?}", error.kind())
}

fn saved(result: Result<Saved>) -> String {
    match result {
        Ok(Saved::Saved(version)) => format!("saved {}", version.map_or(0, |version| version.get())),
        Ok(Saved::Conflict(keys)) => format!("conflict {}", keys.join(" ")),
        Ok(Saved::Gone(ended)) => format!("gone {}", ended.reason.as_str()),
        Ok(Saved::Rejected) => "rejected".to_owned(),
        Err(error) => failed(&error),
    }
}
