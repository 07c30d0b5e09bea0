//! A small web shop: `cargo run --example demo`.
//!
//! It takes the Redis of `REDIS_URL` and the PostgreSQL of `DATABASE_URL`; else it starts private ones,
//! which are gone when it ends; else, where these are not installed, it keeps everything in this process.
//! `PORT` is 3000 by default, `DEMO_EMBEDDED=1` forces the last, `DEMO_TRAIL=none` does without PostgreSQL.
//! `DEMO_FRAMEWORK=actix` serves the same shop by actix-web instead of axum.

mod account;
mod actix_routes;
mod axum_routes;
mod backend;
mod chart;
mod costs;
mod counter;
mod devices;
mod feed;
mod items;
mod keeper;
mod origin;
mod page;
mod shop;
mod timings;
mod trail;
mod why;

use std::{env, error::Error, io, net::SocketAddr, process::ExitCode, time::Duration};

use axum::Router;
use cloakroom::{cookie::CookieConfig, manager::SessionConfig, session::SessionSweeper, store::SessionStore};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::watch,
};
use tracing_subscriber::EnvFilter;

use backend::{Backend, Notes, Store};
use costs::Ledger;
use counter::LastChanges;
use timings::{Bare, Timings};
use trail::Trail;

/// What handlers share.
#[derive(Clone)]
pub(crate) struct Shop {
    store: Kind,
    trail: Trail,
    ledger: Ledger,
    last_changes: LastChanges,
    timings: Timings,
    /// Where there is a Redis.
    bare: Option<Bare>,
    /// Streams would hold the server up: they end when this says so.
    stop: watch::Receiver<bool>,
}

impl Shop {
    fn new(store: Kind, trail: Trail, bare: Option<Bare>, stop: watch::Receiver<bool>) -> Self {
        Self {
            store,
            trail,
            ledger: Ledger::default(),
            last_changes: LastChanges::default(),
            timings: Timings::default(),
            bare,
            stop,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Redis,
    Embedded,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Redis => "redis",
            Self::Embedded => "embedded",
        }
    }

    fn is_remote(self) -> bool {
        self == Self::Redis
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn,demo=info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).init();

    let Backend { store, bare, trail, writer, keeper, notes } = backend::open().await?;
    let listener = listen().await?;
    let stop = until_stopped()?;
    println!("{}", banner(&notes, listener.local_addr()?));

    let writer = writer.map(|writer| (writer.stop_handle(), tokio::spawn(writer.run())));
    let shop = |kind| Shop::new(kind, trail, bare, stop.clone());
    let sweeper = match &store {
        Store::Redis(store) => SessionSweeper::new(store.clone()),
        Store::Embedded(store) => SessionSweeper::new(store.clone()),
    };
    let sweeping = tokio::spawn(sweeper.run());
    match store {
        Store::Redis(store) => serve(listener, store, shop(Kind::Redis), stop.clone()).await?,
        Store::Embedded(store) => serve(listener, store, shop(Kind::Embedded), stop.clone()).await?,
    }

    sweeping.abort();
    // No request is under way any more: what they changed is in Redis, and the writer brings it home.
    if let Some((stop, running)) = writer {
        stop.stop();
        let report = running.await?;
        println!(
            "the trail is {}: {} rows stored",
            if report.flushed { "complete" } else { "cut off" },
            report.stored
        );
    }
    if let Some(keeper) = keeper {
        tokio::task::spawn_blocking(|| keeper.stop()).await?;
    }
    Ok(())
}

/// For plain HTTP on this machine. A shop on the Internet takes the default cookie, which is `Secure`.
fn config() -> Result<SessionConfig, cloakroom::error::Error> {
    SessionConfig::default()
        .with_cookie(CookieConfig::insecure_for_local_development())
        // Whoever adds to the cart in ten tabs at once on a busy machine rather waits than tries again.
        .with_replay_for(Duration::from_secs(5))
        .with_idle_timeout(Duration::from_secs(30 * 60))
}

async fn health(store: &impl SessionStore, shop: &Shop) -> (bool, Value) {
    let ready = store.ready().await.is_ok();
    let state = if ready { "ok" } else { "out of reach" };
    (ready, json!({ "store": state, "trail": shop.trail.state().await }))
}

/// `PORT` or the next one that is free; on this machine only.
async fn listen() -> Result<TcpListener, Box<dyn Error>> {
    let first: u16 = match env::var("PORT") {
        Ok(port) => port.parse().map_err(|_| format!("PORT={port:?} is no port"))?,
        Err(_) => 3000,
    };
    for port in first..=first.saturating_add(50) {
        match TcpListener::bind(("127.0.0.1", port)).await {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            bound => return Ok(bound?),
        }
    }
    Err(format!("no free port from {first} on").into())
}

/// Becomes true at Ctrl-C or SIGTERM.
fn until_stopped() -> io::Result<watch::Receiver<bool>> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        stop.send_replace(true);
        // And a second Ctrl-C, for the impatient.
        interrupt.recv().await;
        std::process::exit(130);
    });
    Ok(stopped)
}

/// Serves until it is stopped, then lets the requests under way finish, within reason.
async fn serve<S: SessionStore + Clone>(
    listener: TcpListener,
    store: S,
    shop: Shop,
    stop: watch::Receiver<bool>,
) -> Result<(), Box<dyn Error>> {
    match env::var("DEMO_FRAMEWORK").as_deref() {
        Err(_) | Ok("axum") => {
            serve_axum(listener, axum_routes::router(store, config()?, shop), stop).await?
        }
        Ok("actix") => {
            let server = actix_routes::server(listener.into_std()?, store, config()?, shop)?;
            let handle = server.handle();
            tokio::spawn(async move {
                stopped(stop).await;
                handle.stop(true).await;
            });
            server.await?;
        }
        Ok(other) => return Err(format!("DEMO_FRAMEWORK={other:?}: take axum or actix").into()),
    }
    Ok(())
}

async fn serve_axum(listener: TcpListener, router: Router, stop: watch::Receiver<bool>) -> io::Result<()> {
    let app = router.into_make_service_with_connect_info::<SocketAddr>();
    let serving = axum::serve(listener, app).with_graceful_shutdown(stopped(stop.clone()));
    tokio::select! {
        ended = serving.into_future() => ended,
        () = async { stopped(stop).await; tokio::time::sleep(Duration::from_secs(5)).await } => Ok(()),
    }
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    // An error would mean that nobody can stop us any more; then, too, it is time to go.
    let _ = stop.wait_for(|stop| *stop).await;
}

fn banner(notes: &Notes, address: SocketAddr) -> String {
    format!(
        "\ncloakroom demo, a small web shop\n\n{notes}\n\
         \x20 try    curl -c jar -b jar -L -d item=umbrella http://{address}/cart/add\n\
         \x20        curl -c jar -b jar -L -d name=alice http://{address}/sign-in\n\
         \x20        curl -c jar -b jar http://{address}/session.json\n\
         \x20        and look at http://{address}/account and http://{address}/trail\n\n\
         listening on http://{address}"
    )
}
