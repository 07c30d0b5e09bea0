//! What a request costs before and after Redis, in nanoseconds: `cargo bench --bench micro`.
//!
//! By criterion: means of many runs, with their spread. `layer/…` is a whole request through a service of one line;
//! `layer/without` is that service alone, so the difference is the layer's own; with a cookie, which is dropped there,
//! too, it takes a little longer. Where a store is needed it is `MemoryStore`, and so its time is in the figure, too.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a benchmark may stop"
)]

use std::{convert::Infallible, hint::black_box, sync::Arc, time::Duration};

use cloakroom::{
    audit::RequestContext,
    cookie::read,
    id::{Address, EventId, IdleClass, SessionRef, ShardCount, Token},
    manager::{Load, SessionConfig},
    record::{Change, Delta, FieldName, Json, Write},
    service::SessionLayer,
    session::{Key, Session},
    store::{Commit, Committed, Create, Loaded, MemoryStore, Policy, SessionStore, Touch},
};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use futures_util::FutureExt as _;
use http::{Request, Response};
use tower::{Layer as _, Service, ServiceExt as _, service_fn};

const NAME: &str = "__Host-Http-id";
const VALUE: Key<u64> = Key::new("value");
const IDLE: Duration = Duration::from_secs(3600);

fn token() -> String {
    format!("{}A", "x".repeat(42))
}

fn tokens(bench: &mut Criterion) {
    let token = token();
    bench.bench_function("token/parse", |b| b.iter(|| Token::parse(black_box(token.as_bytes())).unwrap()));
    let token = Token::parse(token.as_bytes()).unwrap();
    bench.bench_function("token/hash", |b| b.iter(|| black_box(&token).address()));
}

fn cookies(bench: &mut Criterion) {
    let one = format!("{NAME}={}", token());
    let usual = format!("theme=dark; _ga=GA1.1.1880253347.1700000000; consent=all; {one}; lang=de");
    let most = "x=y; ".repeat(16 * 1024 / 5);
    let garbage = "x=y; ".repeat(10_000);
    for (name, line) in [
        ("cookie/one", one),
        ("cookie/one of five", usual),
        ("cookie/16 KiB of garbage", most),
        ("cookie/10,000 pairs of garbage", garbage),
    ] {
        bench.bench_function(name, |b| b.iter(|| read(NAME, [black_box(line.as_bytes())])));
    }
}

fn layers(bench: &mut Criterion) {
    let (cookie, store) = begin();
    let config = SessionConfig::default();
    let layer = |load| SessionLayer::with_config(store.clone(), config.clone().with_load(load));
    let silent = service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new(())));
    let reading = service_fn(async |request: Request<()>| {
        let session = request.extensions().get::<Session>().unwrap();
        black_box(session.get(VALUE).unwrap());
        Ok::<_, Infallible>(Response::new(()))
    });
    let writing = service_fn(async |request: Request<()>| {
        let session = request.extensions().get::<Session>().unwrap();
        session.insert(VALUE, &7).unwrap();
        Ok::<_, Infallible>(Response::new(()))
    });
    over(bench, "layer/without", silent, None);
    over(bench, "layer/without, a cookie", silent, Some(&cookie));
    over(bench, "layer/no cookie", layer(Load::Eager).layer(silent), None);
    over(bench, "layer/lazy, never asked", layer(Load::Lazy).layer(silent), Some(&cookie));
    over(bench, "layer/loaded", layer(Load::Eager).layer(silent), Some(&cookie));
    over(bench, "layer/read", layer(Load::Eager).layer(reading), Some(&cookie));
    over(bench, "layer/write", layer(Load::Eager).layer(writing), Some(&cookie));
}

/// One request through a service. Making the request, and dropping what it answers, is not measured.
fn over<S>(bench: &mut Criterion, name: &str, mut service: S, cookie: Option<&str>)
where
    S: Service<Request<()>, Response = Response<()>, Error = Infallible>,
{
    let request = || {
        let mut request = Request::builder().uri("/").header("host", "localhost");
        if let Some(cookie) = cookie {
            request = request.header("cookie", cookie);
        }
        let mut request = request.body(()).unwrap();
        // Every framework puts something there before a layer does, and with it the map itself.
        request.extensions_mut().insert(());
        request
    };
    bench.bench_function(name, |b| {
        b.iter_batched(
            request,
            |request| service.call(request).now_or_never().expect("memory never waits").unwrap(),
            BatchSize::SmallInput,
        );
    });
}

/// A session of nine values, as a `Cookie` line and the store that has it.
fn begin() -> (String, MemoryStore) {
    let store = MemoryStore::new();
    let service = SessionLayer::new(store.clone()).layer(service_fn(async |request: Request<()>| {
        let session = request.extensions().get::<Session>().unwrap();
        for n in 0..8 {
            session.insert(Key::dynamic(format!("key-{n}")), &"x".repeat(62)).unwrap();
        }
        session.insert(VALUE, &0).unwrap();
        Ok::<_, Infallible>(Response::new(()))
    }));
    let request = Request::builder().uri("/").header("host", "localhost").body(()).unwrap();
    let response = service.oneshot(request).now_or_never().unwrap().unwrap();
    let cookie = response.headers()["set-cookie"].to_str().unwrap();
    (cookie.split(';').next().unwrap().to_owned(), store)
}

fn deltas(bench: &mut Criterion) {
    let store = MemoryStore::new();
    let at = Address {
        reference: SessionRef::from_bytes([7; 32]),
        shard: ShardCount::default().iter().next().unwrap(),
        class: IdleClass::default(),
    };
    let create = Create {
        at,
        event: EventId::new(),
        idle: IDLE,
        absolute: IDLE * 24,
        sign_in: None,
        device: None,
        delta: delta(8, "x"),
        predecessor: None,
        context: Arc::new(RequestContext::default()),
    };
    let _ = store.create(&create).now_or_never().unwrap().unwrap();
    bench.bench_function("memory/load", |b| {
        b.iter(|| store.load(at, Touch::Refresh, IDLE).now_or_never().unwrap().unwrap());
    });
    for keys in [1, 8] {
        let delta = delta(keys, "y");
        let load = || match store.load(at, Touch::Refresh, IDLE).now_or_never().unwrap().unwrap() {
            Loaded::Found(record) => Commit {
                at,
                event: EventId::new(),
                base: record.base,
                image: Default::default(),
                delta: delta.clone(),
                policy: Policy::Merge,
                idle: IDLE,
                touch: Touch::Refresh,
                renewal: None,
                user: None,
                context: Arc::new(RequestContext::default()),
            },
            other => panic!("{other:?}"),
        };
        bench.bench_function(&format!("memory/commit of {keys}"), |b| {
            // One at a time, or the later ones of a batch would be checked against a base that has gone.
            let commit = |commit| match store.commit(&commit).now_or_never().unwrap().unwrap() {
                Committed::Committed { version, .. } => version,
                other => panic!("{other:?}"),
            };
            b.iter_batched(load, commit, BatchSize::PerIteration);
        });
    }
}

fn delta(keys: usize, letter: &str) -> Delta {
    let changes = (0..keys).map(|n| {
        let value = Json::from_text(format!("\"{}\"", letter.repeat(62)));
        let change = Change { write: Write::Set(value), watched: Some(true), secret: false };
        (FieldName::new(&format!("key-{n}")).unwrap(), change)
    });
    Delta { clear: false, changes: changes.collect() }
}

criterion_group!(benches, tokens, cookies, layers, deltas);
criterion_main!(benches);
