//! The DevTools protocol, as much of it as is needed here: commands with their answers, and events in their order.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use futures_util::{SinkExt as _, StreamExt as _, stream::SplitSink};
use serde_json::{Value, json};
use tokio::{
    net::TcpStream,
    sync::{oneshot, watch},
    time::timeout,
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
    tungstenite::{Message, protocol::WebSocketConfig},
};

use crate::BOUND;

/// A connection to the browser. What was made by it (profiles, tabs) goes away with it.
#[derive(Clone)]
pub struct DevTools(Arc<Connection>);

struct Connection {
    sink: tokio::sync::Mutex<SplitSink<Socket, Message>>,
    last_id: AtomicU64,
    heard: Arc<Heard>,
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

#[derive(Default)]
struct Heard {
    answers: Mutex<HashMap<u64, oneshot::Sender<Result<Value, String>>>>,
    events: Mutex<Vec<Event>>,
    /// How many events there are.
    count: watch::Sender<usize>,
}

#[derive(Clone, Debug)]
pub struct Event {
    /// The tab's, see [`Command::session`].
    pub session: String,
    pub method: String,
    pub params: Value,
}

impl DevTools {
    pub async fn connect(url: &str) -> Self {
        // A screenshot is one message.
        let config = WebSocketConfig::default().max_message_size(None).max_frame_size(None);
        let (socket, _) = connect_async_with_config(url, Some(config), true).await.unwrap();
        let (sink, mut stream) = socket.split();
        let heard = Arc::new(Heard::default());
        let listener = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Some(Ok(message)) = stream.next().await {
                if let Message::Text(text) = message {
                    listener.hear(text.parse().unwrap());
                }
            }
            // Nobody shall wait for what can't come any more.
            listener.answers.lock().unwrap().clear();
        });
        Self(Arc::new(Connection { sink: tokio::sync::Mutex::new(sink), last_id: AtomicU64::new(0), heard }))
    }

    /// A command for the browser (`session` is empty) or for one of its tabs, and what it answers.
    pub async fn try_call(&self, session: &str, method: &str, params: Value) -> Result<Value, String> {
        let id = self.0.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        let mut command = json!({ "id": id, "method": method, "params": params });
        if !session.is_empty() {
            command["sessionId"] = session.into();
        }
        let (answer, answered) = oneshot::channel();
        self.0.heard.answers.lock().unwrap().insert(id, answer);
        self.0.sink.lock().await.send(Message::text(command.to_string())).await.unwrap();
        let answer = timeout(BOUND, answered).await.unwrap_or_else(|_| panic!("{method} is not answered"));
        answer.unwrap_or_else(|_| panic!("{method}: the browser is gone"))
    }

    pub async fn call(&self, session: &str, method: &str, params: Value) -> Value {
        let answer = self.try_call(session, method, params).await;
        answer.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// How many events there have been: what comes next is from here on.
    pub fn now(&self) -> usize {
        *self.0.heard.count.borrow()
    }

    /// The tab's events so far, from `since` on.
    pub fn events(&self, session: &str, since: usize) -> Vec<Event> {
        let events = self.0.heard.events.lock().unwrap();
        events[since..].iter().filter(|event| event.session == session).cloned().collect()
    }

    /// Waits for an event of the tab, from `since` on.
    pub async fn wait(
        &self,
        session: &str,
        since: usize,
        what: &str,
        wanted: impl Fn(&Event) -> bool,
    ) -> Event {
        let mut count = self.0.heard.count.subscribe();
        let find = async {
            loop {
                count.borrow_and_update();
                if let Some(event) = self.events(session, since).into_iter().find(&wanted) {
                    return event;
                }
                count.changed().await.unwrap();
            }
        };
        timeout(BOUND, find).await.unwrap_or_else(|_| panic!("still waiting: {what}"))
    }
}

impl Heard {
    fn hear(&self, mut message: Value) {
        if let Some(id) = message["id"].as_u64() {
            let answer = match message["error"].take() {
                Value::Null => Ok(message["result"].take()),
                error => Err(error.to_string()),
            };
            if let Some(waiting) = self.answers.lock().unwrap().remove(&id) {
                let _ = waiting.send(answer);
            }
            return;
        }
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let event = Event {
            session: text(&message["sessionId"]),
            method: text(&message["method"]),
            params: message["params"].take(),
        };
        let mut events = self.events.lock().unwrap();
        events.push(event);
        self.count.send_replace(events.len());
    }
}
