//! A client of either kind: it gives an order, and is told what came of it.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use http::header;
use reqwest::Response;
use tokio::{net::TcpStream, sync::mpsc};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream,
    tungstenite::{Message, client::IntoClientRequest as _},
};

use crate::app::App;

/// No order takes longer.
const BOUND: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Stream,
    Socket,
}

pub enum Line {
    Stream { orders: mpsc::Sender<String>, response: Response },
    Socket(Box<WebSocketStream<MaybeTlsStream<TcpStream>>>),
}

impl Line {
    /// The head is there when this returns, and nothing of the body yet. Its cookie, if it has one.
    pub async fn open(kind: Kind, app: &App, cookie: Option<&str>) -> (Self, Option<String>) {
        let opened = async {
            match kind {
                Kind::Stream => {
                    let (orders, receiver) = mpsc::channel(1);
                    *app.orders.lock().unwrap() = Some(receiver);
                    let response = send(app, "GET", "/stream", cookie).await;
                    let issued = issued(response.headers());
                    (Self::Stream { orders, response }, issued)
                }
                Kind::Socket => {
                    let mut request = format!("ws://{}/socket", app.address).into_client_request().unwrap();
                    if let Some(cookie) = cookie {
                        request.headers_mut().insert(header::COOKIE, cookie.parse().unwrap());
                    }
                    let (socket, response) = tokio_tungstenite::connect_async(request).await.unwrap();
                    (Self::Socket(Box::new(socket)), issued(response.headers()))
                }
            }
        };
        tokio::time::timeout(BOUND, opened).await.unwrap()
    }

    pub async fn order(&mut self, order: &str) -> String {
        let told = async {
            match self {
                Self::Stream { orders, response } => {
                    orders.send(order.to_owned()).await.unwrap();
                    let chunk = response.chunk().await.unwrap().unwrap();
                    String::from_utf8(chunk.to_vec()).unwrap().trim_end().to_owned()
                }
                Self::Socket(socket) => {
                    socket.send(Message::text(order)).await.unwrap();
                    socket.next().await.unwrap().unwrap().into_text().unwrap().to_string()
                }
            }
        };
        tokio::time::timeout(BOUND, told).await.unwrap()
    }
}

/// An ordinary request. The cookie that it hands out, and its body.
pub async fn ask(app: &App, method: &str, path: &str, cookie: Option<&str>) -> (Option<String>, String) {
    let response = send(app, method, path, cookie).await;
    (issued(response.headers()), response.text().await.unwrap())
}

async fn send(app: &App, method: &str, path: &str, cookie: Option<&str>) -> Response {
    let url = format!("http://{}{path}", app.address);
    let mut request = reqwest::Client::new().request(method.parse().unwrap(), url).timeout(BOUND);
    if let Some(cookie) = cookie {
        request = request.header(header::COOKIE, cookie);
    }
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200, "{method} {path}");
    response
}

fn issued(headers: &http::HeaderMap) -> Option<String> {
    let line = headers.get(header::SET_COOKIE)?.to_str().unwrap();
    Some(line.split(';').next().unwrap().to_owned())
}
