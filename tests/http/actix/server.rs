//! A real server on a port of its own, and clients that speak to it byte by byte.

use std::{net::SocketAddr, thread};

use actix_web::{App, HttpServer, dev::ServerHandle, rt::System, web::ServiceConfig};
use cloakroom::actix::SessionMiddleware;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// Stops when it is dropped.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    handle: ServerHandle,
}

impl Server {
    /// So many workers, each with an app that has these routes behind the middleware.
    pub(super) fn start(
        workers: usize,
        sessions: SessionMiddleware,
        routes: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
    ) -> Self {
        let (sender, receiver) = std::sync::mpsc::channel();
        thread::spawn(move || {
            System::new().block_on(async move {
                let server =
                    HttpServer::new(move || App::new().configure(routes.clone()).wrap(sessions.clone()));
                let server = server
                    .workers(workers)
                    .h1_allow_half_closed(false)
                    .disable_signals()
                    .bind("127.0.0.1:0")
                    .unwrap();
                let address = server.addrs()[0];
                let server = server.run();
                sender.send((address, server.handle())).unwrap();
                server.await.unwrap();
            });
        });
        let (address, handle) = receiver.recv().unwrap();
        Self { address, handle }
    }

    /// Sends the head of a `GET` on a connection of its own.
    pub(super) async fn get(&self, path: &str, headers: &str) -> Connection {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let head = format!("GET {path} HTTP/1.1\r\nhost: {}\r\n{headers}\r\n", self.address);
        stream.write_all(head.as_bytes()).await.unwrap();
        Connection { stream }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
    }
}

pub(super) struct Connection {
    pub(super) stream: TcpStream,
}

impl Connection {
    /// The head of the response, in lower case.
    pub(super) async fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.stream.read_u8().await.unwrap());
        }
        String::from_utf8(head).unwrap()
    }

    /// The value of the cookie that a response sets, as a request sends it.
    pub(super) fn cookie(head: &str) -> String {
        let line = head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).expect(head);
        format!("cookie: {}\r\n", line.split(';').next().unwrap())
    }
}
