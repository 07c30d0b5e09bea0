//! Two instances on one Redis, a third that tells nothing, and requests to them.

use std::time::Duration;

use cloakroom::{actix::SessionMiddleware, manager::SessionConfig, session::SessionAdmin, store::RedisStore};
use live_example::{Live, actix_routes, axum_routes};
use reqwest::{Client, Response, header};
use servers::Redis;

#[derive(Clone, Copy, Debug)]
pub enum Framework {
    Axum,
    Actix,
}

pub const ORIGIN: &str = "https://shop.example";

/// Not within a test.
pub const NEVER: Duration = Duration::from_secs(3600);

/// For what must come; far more than it takes.
const PATIENCE: Duration = Duration::from_secs(30);

pub async fn within<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("this should have come")
}

/// Addresses, as `127.0.0.1:1234`.
pub struct World {
    pub redis: Redis,
    pub admin: SessionAdmin,
    pub here: String,
    pub there: String,
    pub silent: String,
}

impl World {
    pub async fn new(framework: Framework, recheck: Duration, beat: Duration) -> Self {
        let redis = Redis::start().unwrap();
        let store = |events| RedisStore::builder(redis.url()).events(events).build().unwrap();
        let config = SessionConfig::default().with_recheck(recheck).unwrap();
        let live = Live { origin: ORIGIN.to_owned(), beat };
        let serve = async |events| serve(framework, store(events), config.clone(), live.clone()).await;
        let (here, there, silent) = (serve(true).await, serve(true).await, serve(false).await);
        let admin = SessionAdmin::new(store(true));
        Self { redis, admin, here, there, silent }
    }

    /// The cookie.
    pub async fn sign_in(&self, name: &str) -> String {
        let request = Client::new().post(format!("http://{}/sign-in", self.here)).form(&[("name", name)]);
        let response = within(request.send()).await.unwrap();
        let line = response.headers()[header::SET_COOKIE].to_str().unwrap();
        line.split(';').next().unwrap().to_owned()
    }

    pub async fn post(&self, instance: &str, path: &str, cookie: &str) {
        let request = Client::new().post(format!("http://{instance}{path}")).header(header::COOKIE, cookie);
        assert_eq!(within(request.send()).await.unwrap().status(), 200, "{path}");
    }

    pub async fn status(&self, instance: &str, path: &str, cookie: &str) -> u16 {
        get(instance, path, cookie, None).await.status().as_u16()
    }
}

pub async fn get(instance: &str, path: &str, cookie: &str, last: Option<&str>) -> Response {
    let mut request = Client::new().get(format!("http://{instance}{path}")).header(header::COOKIE, cookie);
    if let Some(last) = last {
        request = request.header("last-event-id", last);
    }
    within(request.send()).await.unwrap()
}

/// On a free port. It is gone with the process.
async fn serve(framework: Framework, store: RedisStore, config: SessionConfig, live: Live) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    match framework {
        Framework::Axum => {
            let app = axum_routes::app(store, config, live);
            tokio::spawn(axum::serve(listener, app).into_future());
        }
        Framework::Actix => {
            let listener = listener.into_std().unwrap();
            // actix-web has a runtime of its own.
            std::thread::spawn(move || {
                let sessions = SessionMiddleware::with_config(store, config);
                let app =
                    move || actix_web::App::new().service(actix_routes::app(sessions.clone(), live.clone()));
                let server = actix_web::HttpServer::new(app).workers(1).disable_signals().listen(listener);
                actix_web::rt::System::new().block_on(server.unwrap().run())
            });
        }
    }
    address
}
