//! What a page holds open, of either kind.

use futures_util::{SinkExt as _, StreamExt as _};
use http::header;
use reqwest::Response;
use serde_json::Value;
use tokio::{io::AsyncReadExt as _, net::TcpStream};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream,
    tungstenite::{self, Message, client::IntoClientRequest as _, handshake::client::Request},
};

use crate::world::{ORIGIN, get, within};

#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Stream,
    Socket,
}

impl Kind {
    pub const BOTH: [Self; 2] = [Self::Stream, Self::Socket];
}

#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    Change {
        kind: String,
        version: u64,
        id: String,
    },
    Look,
    Echo(String),
    Ended(String),
    /// Nothing more, after the reason or without one.
    Closed,
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

pub enum Connection {
    Stream { response: Response, read: String },
    Socket(Box<Socket>),
}

impl Connection {
    pub async fn open(kind: Kind, instance: &str, cookie: &str, last: Option<&str>) -> Self {
        match kind {
            Kind::Stream => {
                let response = get(instance, "/events", cookie, last).await;
                assert_eq!(response.status(), 200);
                assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
                Self::Stream { response, read: String::new() }
            }
            Kind::Socket => {
                let query = last.map(|last| format!("?since={last}")).unwrap_or_default();
                let request = request(instance, &query, cookie, Some(ORIGIN));
                let (socket, _) = within(tokio_tungstenite::connect_async(request)).await.unwrap();
                Self::Socket(Box::new(socket))
            }
        }
    }

    pub async fn next(&mut self) -> Heard {
        within(async {
            match self {
                Self::Stream { response, read } => next_of_stream(response, read).await,
                Self::Socket(socket) => next_of_socket(socket).await,
            }
        })
        .await
    }

    /// Version and id of a change of the session; nothing else may come.
    pub async fn change(&mut self) -> (u64, String) {
        match self.next().await {
            Heard::Change { kind, version, id } if kind == "changed" => (version, id),
            other => panic!("{other:?}"),
        }
    }

    /// The reason with which it is closed. The event of the end may come before.
    pub async fn end(&mut self) -> String {
        loop {
            match self.next().await {
                Heard::Change { .. } => {}
                Heard::Ended(reason) => {
                    assert_eq!(self.next().await, Heard::Closed);
                    return reason;
                }
                other => panic!("{other:?}"),
            }
        }
    }

    pub async fn say(&mut self, text: &str) {
        let Self::Socket(socket) = self else { panic!("a stream hears nothing") };
        within(socket.send(Message::text(text))).await.unwrap();
    }
}

async fn next_of_stream(response: &mut Response, read: &mut String) -> Heard {
    loop {
        if let Some((block, rest)) = read.split_once("\n\n") {
            let (block, rest) = (block.to_owned(), rest.to_owned());
            *read = rest;
            let field = |name: &str| {
                block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).map(str::to_owned)
            };
            match field("event").as_deref() {
                Some("change") => {
                    return change(&field("data").unwrap().parse().unwrap(), &field("id").unwrap());
                }
                Some("look") => return Heard::Look,
                Some("ended") => return Heard::Ended(field("data").unwrap()),
                Some(other) => panic!("{other}"),
                None => assert_eq!(block, ":"),
            }
            continue;
        }
        match response.chunk().await.unwrap() {
            Some(chunk) => read.push_str(std::str::from_utf8(&chunk).unwrap()),
            None => return Heard::Closed,
        }
    }
}

async fn next_of_socket(socket: &mut Socket) -> Heard {
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => {
                let Ok(message) = text.parse::<Value>() else { return Heard::Echo(text.to_string()) };
                return match message["change"].is_object() {
                    true => change(&message["change"], message["id"].as_str().unwrap()),
                    false => {
                        assert_eq!(message["look"], true);
                        Heard::Look
                    }
                };
            }
            Some(Ok(Message::Close(Some(frame)))) if u16::from(frame.code) == live_example::SESSION_OVER => {
                return Heard::Ended(frame.reason.to_string());
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(Message::Close(_)) | Err(_)) | None => return Heard::Closed,
            Some(other) => panic!("{other:?}"),
        }
    }
}

fn change(told: &Value, id: &str) -> Heard {
    Heard::Change {
        kind: told["kind"].as_str().unwrap().to_owned(),
        version: told["version"].as_u64().unwrap(),
        id: id.to_owned(),
    }
}

fn request(instance: &str, query: &str, cookie: &str, origin: Option<&str>) -> Request {
    let mut request = format!("ws://{instance}/socket{query}").into_client_request().unwrap();
    request.headers_mut().insert(header::COOKIE, cookie.parse().unwrap());
    if let Some(origin) = origin {
        request.headers_mut().insert(header::ORIGIN, origin.parse().unwrap());
    }
    request
}

/// The status of a handshake.
pub async fn handshake(instance: &str, cookie: &str, origin: Option<&str>) -> u16 {
    match within(tokio_tungstenite::connect_async(request(instance, "", cookie, origin))).await {
        Ok((_, response)) => response.status().as_u16(),
        Err(tungstenite::Error::Http(response)) => response.status().as_u16(),
        Err(other) => panic!("{other}"),
    }
}

/// A WebSocket whose other side does not follow the protocol any more.
pub async fn deaf(instance: &str, cookie: &str) -> TcpStream {
    let request = request(instance, "", cookie, Some(ORIGIN));
    let stream = TcpStream::connect(instance).await.unwrap();
    let (socket, _) = within(tokio_tungstenite::client_async(request, stream)).await.unwrap();
    socket.into_inner()
}

pub async fn to_the_end(mut stream: TcpStream) {
    let mut bytes = [0; 64];
    while !matches!(stream.read(&mut bytes).await, Ok(0) | Err(_)) {}
}
