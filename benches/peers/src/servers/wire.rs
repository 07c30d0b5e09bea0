//! How a server speaks with the driver: it prints its port, and ends when its input does.

use std::{io::Read as _, net::TcpListener};

/// A free port of the loopback. Printed only once it listens, so that nobody comes too early.
pub fn listen() -> TcpListener {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    listener
}

/// Tells the port, and watches for the end of the driver, however it ends.
pub fn announce(listener: &TcpListener) {
    println!("{}", listener.local_addr().unwrap().port());
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
}

/// Serves an axum router, without Nagle's delay as any server for small answers.
pub async fn serve(app: axum::Router) {
    use axum::serve::ListenerExt as _;
    let listener = listen();
    announce(&listener);
    let listener = tokio::net::TcpListener::from_std(listener).unwrap().tap_io(|io| {
        let _ = io.set_nodelay(true);
    });
    axum::serve(listener, app).await.unwrap();
}
