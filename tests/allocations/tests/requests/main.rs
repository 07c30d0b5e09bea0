//! What a request allocates on the heap because there is a session layer.
//!
//! A request that has no session, or never asks for the one it has, costs the handle and nothing else: the
//! handle itself, and the box in which `http::Extensions` keeps it. The counts are exact, so that a third one
//! is noticed on the day that it comes.

mod counting;
mod on_redis;

use std::convert::Infallible;

use cloakroom::{
    manager::{Load, SessionConfig},
    service::SessionLayer,
    session::{Key, Session},
    store::MemoryStore,
};
use futures_util::FutureExt as _;
use http::{Request, Response};
use tower::{Layer as _, Service, ServiceExt as _, service_fn};

use counting::{Counting, allocations};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// `Arc<Inner>` of the handle, and `Box<dyn Any>` of the extensions.
const HANDLE: usize = 2;
const NAME: &str = "__Host-Http-id";
const VALUE: Key<u64> = Key::new("value");

fn layer(store: &MemoryStore, load: Load) -> SessionLayer {
    SessionLayer::with_config(store.clone(), SessionConfig::default().with_load(load))
}

fn request(cookie: &str) -> Request<()> {
    let mut request = Request::builder().uri("/").header("host", "localhost");
    if !cookie.is_empty() {
        request = request.header("cookie", cookie);
    }
    let mut request = request.body(()).unwrap();
    // As every framework does before a layer comes: the map of the extensions is there.
    request.extensions_mut().insert(());
    request
}

fn call<S>(mut service: S, request: Request<()>) -> usize
where
    S: Service<Request<()>, Response = Response<()>, Error = Infallible>,
{
    // The first request may make what stays, such as a thread's own state.
    let (count, response) = allocations(|| service.call(request).now_or_never().expect("memory never waits"));
    assert_eq!(response.unwrap().status(), 200);
    count
}

async fn nothing(_: Request<()>) -> Result<Response<()>, Infallible> {
    Ok(Response::new(()))
}

/// The cookie of a new session with one value.
fn begin(store: &MemoryStore) -> String {
    let service = layer(store, Load::Eager).layer(service_fn(async |request: Request<()>| {
        request.extensions().get::<Session>().unwrap().insert(VALUE, &1).unwrap();
        Ok::<_, Infallible>(Response::new(()))
    }));
    let response = service.oneshot(request("")).now_or_never().unwrap().unwrap();
    response.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned()
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| 7).0, 0);
    assert_eq!(allocations(|| Box::new(7)).0, 1);
    assert_eq!(call(service_fn(nothing), request("")), 0, "the service and the test itself");
}

#[test]
fn without_a_session_cookie() {
    for cookie in ["", "theme=dark; lang=de"] {
        for load in [Load::Eager, Load::Lazy] {
            let service = layer(&MemoryStore::new(), load).layer(service_fn(nothing));
            assert_eq!(call(service, request(cookie)), HANDLE, "{cookie:?}, {load:?}");
        }
    }
}

#[test]
fn with_a_cookie_that_is_no_token() {
    let twice = format!("{NAME}={0}; {NAME}={0}", "A".repeat(43));
    let many = format!("{NAME}={}", "x; ".repeat(10_000));
    let (empty, short) = (format!("{NAME}="), format!("{NAME}=short"));
    for cookie in [&empty, &short, &twice, &many] {
        let service = layer(&MemoryStore::new(), Load::Eager).layer(service_fn(nothing));
        assert_eq!(call(service, request(cookie)), HANDLE, "{}", &cookie[..24.min(cookie.len())]);
    }
}

#[test]
fn lazily_with_a_session_that_is_never_asked_for() {
    let store = MemoryStore::new();
    let cookie = begin(&store);
    let service = layer(&store, Load::Lazy).layer(service_fn(nothing));
    assert_eq!(call(service, request(&cookie)), HANDLE);
}

#[test]
fn asking_for_a_session_that_is_not_there() {
    let service = layer(&MemoryStore::new(), Load::Eager).layer(service_fn(async |request: Request<()>| {
        let session = request.extensions().get::<Session>().unwrap();
        assert_eq!((session.get(VALUE).unwrap(), session.user()), (None, None));
        Ok::<_, Infallible>(Response::new(()))
    }));
    // The response says `Vary`: its header map is made, and one line of it.
    let (vary, _) = allocations(|| {
        let mut headers = http::HeaderMap::new();
        headers.append("vary", http::HeaderValue::from_static("Cookie"));
        headers
    });
    let count = call(service, request(""));
    // Beyond that: what is remembered of the key that was read.
    assert_eq!(count, HANDLE + vary + 1, "{vary} of them for the header");
}
