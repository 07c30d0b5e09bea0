//! A WebSocket outlives its response, and the session may end before it does.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{self, ServiceConfig},
};
use actix_ws::Message;
use cloakroom::{
    actix::{Authenticated, SessionMiddleware},
    error::Error,
    session::{Saved, Session},
    store::MemoryStore,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::server::{Connection, Server};

async fn sign_in(session: Session) -> Result<&'static str, Error> {
    session.login("alice").map(|()| "welcome")
}

async fn sign_out(session: Session) -> Result<&'static str, Error> {
    session.logout().map(|()| "bye")
}

async fn read(session: Session) -> Result<String, Error> {
    Ok(session.get::<String>("note")?.unwrap_or_default())
}

/// Each message is a note to keep, for as long as the session lives.
async fn socket(
    who: Authenticated,
    request: HttpRequest,
    body: web::Payload,
) -> Result<HttpResponse, actix_web::Error> {
    let (response, mut socket, mut messages) = actix_ws::handle(&request, body)?;
    let session = who.session().detach();
    actix_web::rt::spawn(async move {
        while let Some(Ok(Message::Text(note))) = messages.recv().await {
            session.insert("note", &note.to_string()).unwrap();
            let said = match session.save().await.unwrap() {
                Saved::Saved(_) => "saved".to_owned(),
                Saved::Conflict(keys) => format!("conflict {keys:?}"),
                Saved::Rejected => unreachable!("nobody signs in"),
                Saved::Gone(ended) => format!("gone: {}", ended.reason.as_str()),
            };
            socket.text(said).await.unwrap();
        }
    });
    Ok(response)
}

fn routes(config: &mut ServiceConfig) {
    config
        .route("/sign-in", web::get().to(sign_in))
        .route("/sign-out", web::get().to(sign_out))
        .route("/read", web::get().to(read))
        .route("/socket", web::get().to(socket));
}

const UPGRADE: &str = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                       sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// Sends a text frame, masked with zeros as RFC 6455 asks of a client, and reads one.
async fn say(connection: &mut Connection, text: &str) -> String {
    let mut frame = vec![0x81, 0x80 | u8::try_from(text.len()).unwrap(), 0, 0, 0, 0];
    frame.extend(text.as_bytes());
    connection.stream.write_all(&frame).await.unwrap();
    assert_eq!(connection.stream.read_u8().await.unwrap(), 0x81);
    let mut text = vec![0; connection.stream.read_u8().await.unwrap().into()];
    connection.stream.read_exact(&mut text).await.unwrap();
    String::from_utf8(text).unwrap()
}

#[tokio::test]
async fn a_socket_saves_and_learns_when_the_session_is_gone() {
    let server = Server::start(2, SessionMiddleware::new(MemoryStore::new()), routes);
    let cookie = Connection::cookie(&server.get("/sign-in", "").await.head().await);

    let nobody = server.get("/socket", UPGRADE).await.head().await;
    assert!(nobody.starts_with("HTTP/1.1 401 "), "{nobody}");

    let mut socket = server.get("/socket", &format!("{cookie}{UPGRADE}")).await;
    let head = socket.head().await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert_eq!(say(&mut socket, "hello").await, "saved");
    let mut answer = String::new();
    let mut reading = server.get("/read", &format!("{cookie}connection: close\r\n")).await;
    reading.stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("\r\n\r\nhello"), "{answer}");

    assert_eq!(say(&mut socket, "again").await, "saved");
    server.get("/sign-out", &cookie).await.head().await;
    assert_eq!(say(&mut socket, "too late").await, "gone: logged_out");
}
