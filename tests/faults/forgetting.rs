//! Redis is loading its data, or has forgotten the scripts.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use http::StatusCode;
use servers::Redis;

use crate::{
    client::{Client, prepared},
    proxy::{Cut, Proxy, Way},
};

/// A server that takes a second for each 300 keys it loads, until it is told to hurry up.
struct Loading {
    redis: Arc<Redis>,
    load: thread::JoinHandle<()>,
}

impl Loading {
    fn begin(redis: &Arc<Redis>) -> Self {
        // Answers are given in between only every so many bytes.
        let slow =
            ["CONFIG", "SET", "key-load-delay", "3000", "loading-process-events-interval-bytes", "1024"];
        redis.command(&slow).unwrap();
        let server = Arc::clone(redis);
        let load = thread::spawn(move || {
            server.command(&["DEBUG", "RELOAD"]).unwrap();
        });
        let loading = Self { redis: Arc::clone(redis), load };
        let end = Instant::now() + Duration::from_secs(10);
        while !loading.is_loading() {
            assert!(Instant::now() < end, "it never loads");
            thread::sleep(Duration::from_millis(2));
        }
        loading
    }

    fn is_loading(&self) -> bool {
        self.redis.command(&["PING"]).is_err_and(|error| error.to_string().contains("LOADING"))
    }

    fn end(self) {
        assert!(self.is_loading(), "it was done before the test was");
        self.redis.command(&["CONFIG", "SET", "key-load-delay", "0"]).unwrap();
        self.load.join().unwrap();
    }
}

fn server() -> Arc<Redis> {
    let redis = Redis::with(&["--enable-debug-command", "local"]).unwrap();
    // Enough to keep it busy for nine seconds.
    let fill = "for i = 1, 3000 do redis.call('SET', 'other:' .. i, string.rep('x', 2000)) end";
    redis.command(&["EVAL", fill, "0"]).unwrap();
    redis.command(&["CONFIG", "SET", "rdbcompression", "no"]).unwrap();
    Arc::new(redis)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_loads_its_data_is_waited_for_within_the_bound() {
    let redis = server();
    let mut client = Client::of(prepared(&redis.url()).await);
    client.expect("/add", "1").await;

    let loading = Loading::begin(&redis);
    for path in ["/", "/add"] {
        client.expect_unavailable(path).await;
    }
    loading.end();
    client.expect("/add", "2").await;

    // Sooner than the bound: the request just takes longer.
    let held = client.hold("/add").await;
    let loading = Loading::begin(&redis);
    let ends = thread::spawn(move || {
        thread::sleep(Duration::from_millis(300));
        loading.end();
    });
    let answer = client.release(held).await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, "3"));
    ends.join().unwrap();
    client.expect("/", "3").await;
}

/// The scripts are flushed before any one of a request's exchanges.
#[tokio::test(flavor = "multi_thread")]
async fn scripts_that_are_forgotten_in_the_middle() {
    let redis = Arc::new(Redis::start().unwrap());
    let proxy = Proxy::to(redis.port()).await;
    let store = prepared(&proxy.url()).await;
    let (next, flushed) = (Arc::new(AtomicUsize::new(usize::MAX)), Arc::new(AtomicUsize::new(0)));
    let (server, left, count) = (Arc::clone(&redis), Arc::clone(&next), Arc::clone(&flushed));
    proxy.before_each_request(move || {
        if left.fetch_sub(1, Ordering::SeqCst) == 0 {
            server.command(&["SCRIPT", "FLUSH"]).unwrap();
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    for exchange in 0..8 {
        for (path, shown) in [("/add/login", "2"), ("/add/renew", "2"), ("/add", "2"), ("/logout", "0")] {
            let mut client = Client::of(store.clone());
            client.expect("/add", "1").await;
            next.store(exchange, Ordering::SeqCst);
            let answer = client.get(path).await;
            next.store(usize::MAX, Ordering::SeqCst);
            assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, shown), "{path}, {exchange}");
            client.expect("/", shown).await;
        }
    }
    assert!(flushed.load(Ordering::SeqCst) >= 8);
}

/// Every connection is cut in the middle of its reply, over and over: out of reach, not broken.
#[tokio::test(flavor = "multi_thread")]
async fn half_an_answer_again_and_again_is_an_outage() {
    let redis = Redis::start().unwrap();
    let proxy = Proxy::to(redis.port()).await;
    let mut client = Client::of(prepared(&proxy.url()).await);
    client.expect("/add", "1").await;
    for path in ["/", "/add", "/logout"] {
        proxy.cut_repeatedly(Cut { exchange: 1, way: Way::Reply, bytes: 10, stay_away: false }, usize::MAX);
        client.expect_unavailable(path).await;
        proxy.count();
        client.recovered("/").await;
    }
    client.expect("/", "1").await;
}
