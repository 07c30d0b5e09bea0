//! The same with a real Redis, the driver's share included. How its answers are cut into reads is the kernel's to say,
//! so that these are bounds on the mean and not exact.

use std::convert::Infallible;

use cloakroom::{
    service::SessionLayer,
    session::{Key, Session},
    store::{RedisStore, SessionStore as _},
};
use http::{Request, Response};
use tower::{Layer as _, Service, service_fn};

use crate::{VALUE, counting::allocations, request};

const REQUESTS: usize = 300;

/// What a request allocates that reads one of so many values, and one that writes it.
fn costs(values: usize) -> [f64; 2] {
    let server = servers::Redis::start().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let store = RedisStore::builder(server.url()).build().unwrap();
    runtime.block_on(store.ready()).unwrap();
    let layer = SessionLayer::new(store);
    let mut beginning = layer.layer(service_fn(async |request: Request<()>| {
        let session = request.extensions().get::<Session>().unwrap();
        for n in 1..values {
            session.insert(Key::dynamic(format!("key-{n}")), &"x".repeat(62)).unwrap();
        }
        session.insert(VALUE, &1).unwrap();
        Ok::<_, Infallible>(Response::new(()))
    }));
    let mut reading = layer.layer(service_fn(async |request: Request<()>| {
        let value = request.extensions().get::<Session>().unwrap().get(VALUE).unwrap();
        assert!(value.is_some());
        Ok::<_, Infallible>(Response::new(()))
    }));
    let mut writing = layer.layer(service_fn(async |request: Request<()>| {
        request.extensions().get::<Session>().unwrap().insert(VALUE, &2).unwrap();
        Ok::<_, Infallible>(Response::new(()))
    }));
    let response = runtime.block_on(beginning.call(request(""))).unwrap();
    let cookie = response.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let mean = |service: &mut dyn FnMut(Request<()>)| {
        let (made, ()) = allocations(|| (0..REQUESTS).for_each(|_| drop(request(&cookie))));
        let (all, ()) = allocations(|| (0..REQUESTS).for_each(|_| service(request(&cookie))));
        (all - made) as f64 / REQUESTS as f64
    };
    let mut read = |request| assert_eq!(runtime.block_on(reading.call(request)).unwrap().status(), 200);
    let mut write = |request| assert_eq!(runtime.block_on(writing.call(request)).unwrap().status(), 200);
    // The first ones make what stays.
    let _ = (mean(&mut read), mean(&mut write));
    [mean(&mut read), mean(&mut write)]
}

#[test]
fn reading_and_writing() {
    let [[read, write], [read_of_many, write_of_many]] = [costs(1), costs(9)];
    println!("reads: {read} of one value, {read_of_many} of nine; writes: {write}, {write_of_many}");
    assert!(read < 32.0, "{read} allocations for a request that reads");
    assert!(write < 56.0, "{write} allocations for a request that writes");
    assert!(read_of_many < read + 1.0, "a small value more costs none: {read_of_many} instead of {read}");
    assert!(
        write_of_many < write + 1.0,
        "nor where another one is written: {write_of_many} instead of {write}"
    );
}
