//! The connection is cut at every byte of every exchange, both ways: what was asked for happens once.
//!
//! Each cut meets a session of its own, whose counter and version would tell of a change made twice.
//! Replies are cut at every byte. Requests are cut at every byte of their first and last 64, which hold
//! the command's header and its end, and at every seventh between, where only payload is: a request
//! that is not whole is none to Redis, wherever it ends.

use std::{sync::Arc, time::Duration};

use cloakroom::store::{RedisStore, SessionStore as _};
use http::StatusCode;
use servers::Redis;
use tokio::sync::Semaphore;

use crate::{
    client::{Answer, Client},
    eye::{Eye, Seen},
    proxy::{Cut, Proxy, Way},
};

/// A request, and which of its exchanges with Redis is cut.
#[derive(Clone, Copy, Debug)]
struct Case {
    path: &'static str,
    /// Counted from the load if that is to be cut, otherwise from what follows it.
    exchange: usize,
    start: Start,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    /// Without a session.
    Anonymous,
    /// With one; what is cut is the load.
    Loading,
    /// With one that is loaded.
    Loaded,
    /// With one that is loaded, and that another request with this path has changed since.
    Behind(&'static str),
}

const CASES: [Case; 10] = [
    Case { path: "/", exchange: 1, start: Start::Loading },
    Case { path: "/add", exchange: 1, start: Start::Anonymous },
    Case { path: "/add", exchange: 1, start: Start::Loaded },
    // It merges; it conflicts and is told so; it conflicts and is written again.
    Case { path: "/add", exchange: 1, start: Start::Behind("/other") },
    Case { path: "/add", exchange: 1, start: Start::Behind("/add") },
    Case { path: "/add", exchange: 2, start: Start::Behind("/add") },
    Case { path: "/add/renew", exchange: 1, start: Start::Loaded },
    // The end of the old session, and the beginning of the new one.
    Case { path: "/add/login", exchange: 1, start: Start::Loaded },
    Case { path: "/add/login", exchange: 2, start: Start::Loaded },
    Case { path: "/logout", exchange: 1, start: Start::Loaded },
];

/// How many proxies at a time: a cut costs 20 ms of waiting, which others can use.
const LANES: usize = 24;

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_at_any_byte_is_mended_and_everything_happens_once() {
    let begun = std::time::Instant::now();
    let total = run(Duration::from_secs(20), false, offsets).await;
    // Each was mended within its request.
    assert_eq!(total.unavailable, 0, "of {} cuts", total.cuts);
    assert!(total.cuts > 2500, "{} cuts", total.cuts);
    println!("{} cuts in {:?}", total.cuts, begun.elapsed());
}

/// The connection is cut and no other one is to be had: the answer is 503, and whether it happened or
/// not, it did so as a whole.
#[tokio::test(flavor = "multi_thread")]
async fn a_cut_without_a_way_back_leaves_all_or_nothing() {
    let sparse = |_, length: usize| (0..length).step_by((length / 6).max(1)).chain([length]).collect();
    let total = run(Duration::from_millis(300), true, sparse).await;
    // Where the last byte of the last reply was the last that passed, there is nothing to mend.
    assert!(total.unavailable >= total.cuts - CASES.len(), "{} of {}", total.unavailable, total.cuts);
    assert!(total.cuts > 100, "{} cuts", total.cuts);
}

fn offsets(way: Way, length: usize) -> Vec<usize> {
    let every = |offset: &usize| {
        way == Way::Reply || *offset < 64 || offset + 64 > length || offset.is_multiple_of(7)
    };
    (0..=length).filter(every).collect()
}

#[derive(Default)]
struct Total {
    cuts: usize,
    unavailable: usize,
}

/// All cases, both ways, at those of the bytes that `offsets` picks.
async fn run(timeout: Duration, stay_away: bool, offsets: fn(Way, usize) -> Vec<usize>) -> Total {
    let redis = Arc::new(Redis::start().unwrap());
    let permits = Arc::new(Semaphore::new(LANES));
    let mut tasks = Vec::new();
    let mut measuring = Lane::open(&redis, "measure".to_owned(), timeout).await;
    for case in CASES {
        let lengths = measuring.measure(case).await;
        for way in [Way::Request, Way::Reply] {
            for (chunk, offsets) in offsets(way, lengths[way as usize]).chunks(64).enumerate() {
                let cuts: Vec<_> = offsets
                    .iter()
                    .map(|&bytes| Cut { exchange: case.exchange, way, bytes, stay_away })
                    .collect();
                let (redis, permits) = (Arc::clone(&redis), Arc::clone(&permits));
                let name = format!("lane-{}-{chunk}", tasks.len());
                tasks.push(tokio::spawn(async move {
                    let _permit = permits.acquire().await.unwrap();
                    let mut lane = Lane::open(&redis, name, timeout).await;
                    let mut unavailable = 0;
                    for &cut in &cuts {
                        unavailable += usize::from(lane.cut(case, cut).await);
                    }
                    lane.close(unavailable).await;
                    Total { cuts: cuts.len(), unavailable }
                }));
            }
        }
    }
    let mut total = Total::default();
    for task in tasks {
        let part = task.await.unwrap();
        total.cuts += part.cuts;
        total.unavailable += part.unavailable;
    }
    total
}

/// A proxy with a namespace of its own.
struct Lane {
    proxy: Proxy,
    /// Through the proxy, and past it.
    cut: RedisStore,
    direct: RedisStore,
    eye: Eye,
    /// Sessions that are left.
    sessions: usize,
}

impl Lane {
    async fn open(redis: &Redis, namespace: String, timeout: Duration) -> Self {
        let proxy = Proxy::to(redis.port()).await;
        let store = |url: String, timeout| {
            let builder = RedisStore::builder(url).namespace(&*namespace).shards(1).audit(true);
            builder.timeout(timeout).build().unwrap()
        };
        // A busy machine must not fail what is not under test.
        let direct = store(redis.url(), Duration::from_secs(20));
        direct.ready().await.unwrap();
        let cut = store(proxy.url(), timeout);
        cut.ready().await.unwrap();
        let eye = Eye::on(&redis.url(), &namespace).await;
        Self { proxy, cut, direct, eye, sessions: 0 }
    }

    /// How many bytes the exchange of this case has, each way.
    async fn measure(&mut self, case: Case) -> [usize; 2] {
        // The first time, Redis may not know a script yet, and says so.
        let _ = self.case(case, None).await;
        let (mut client, _) = self.case(case, None).await;
        let lengths = self.proxy.counted()[case.exchange - 1];
        assert_eq!(client.get("/").await.status, StatusCode::OK);
        lengths
    }

    /// Runs a case once. Its client, and the answer.
    async fn case(&self, case: Case, cut: Option<Cut>) -> (Client, Answer) {
        let arm = || match cut {
            Some(cut) => self.proxy.cut(cut),
            None => self.proxy.count(),
        };
        let mut visitor = Client::of(self.direct.clone());
        if case.start != Start::Anonymous {
            visitor.expect("/add", "1").await;
        }
        let mut client = visitor.on(self.cut.clone());
        if !matches!(case.start, Start::Loaded | Start::Behind(_)) {
            // So that what is cut is no reconnecting after the cut before.
            client.on(self.cut.clone()).recovered("/").await;
            self.cut.ready().await.unwrap();
            arm();
            let answer = client.get(case.path).await;
            return (client, answer);
        }
        self.cut.ready().await.unwrap();
        let held = client.hold(case.path).await;
        if let Start::Behind(path) = case.start {
            assert_eq!(visitor.get(path).await.status, StatusCode::OK);
        }
        arm();
        let answer = client.release(held).await;
        (client, answer)
    }

    /// Runs a case with a cut. Whether the answer was 503.
    async fn cut(&mut self, case: Case, cut: Cut) -> bool {
        let what = format!("{case:?}, {cut:?}");
        let (cuts, (_, entries)) = (self.proxy.cuts(), self.eye.look(None).await);
        let (client, answer) = self.case(case, Some(cut)).await;
        // Redis' clock is in the replies, and its microseconds have fewer digits at times: then the last
        // byte of those measured is none of this reply's, and nothing was to be cut.
        let uncut = self.proxy.cuts() == cuts;
        if uncut {
            let length = self.proxy.counted()[cut.exchange - 1][cut.way as usize];
            assert!(length < cut.bytes && cut.bytes <= length + 6, "{what}: not cut, of {length} bytes");
            assert_eq!(answer.status, StatusCode::OK, "{what}");
        }
        self.proxy.count();
        self.proxy.come_back();
        let (old, now) = (self.eye.look(client.first_token()).await, self.eye.look(client.token()).await);
        let entries = now.1 - entries;
        let unavailable = answer.status == StatusCode::SERVICE_UNAVAILABLE;
        if unavailable {
            answer.assert_unavailable(&what);
            self.check_unavailable(case, cut, old.0, entries, &what);
        } else {
            assert_eq!(answer.status, StatusCode::OK, "{what}");
            self.check_done(case, &client, &answer, (old.0, now.0), entries, &what);
        }
        unavailable
    }

    /// It is there, once.
    fn check_done(
        &mut self,
        case: Case,
        client: &Client,
        answer: &Answer,
        (old, now): (Option<Seen>, Option<Seen>),
        entries: u64,
        what: &str,
    ) {
        let seen =
            |version, count, user: Option<&str>| Some(Seen { version, count, user: user.map(str::to_owned) });
        let line = answer.set_cookie.as_deref();
        let issued = line.is_some_and(|line| client.token().is_some_and(|token| line.contains(token)));
        // Version and counter, the user, how many entries with those of the preparation, a new cookie.
        let expected = match (case.path, case.start) {
            ("/", _) => (seen(1, 1, None), 1, false),
            ("/add", Start::Anonymous) => (seen(1, 1, None), 1, true),
            ("/add", Start::Behind("/other")) => (seen(3, 2, None), 3, false),
            ("/add", Start::Behind(_)) => (seen(3, 3, None), 3, false),
            ("/add", _) => (seen(2, 2, None), 2, false),
            ("/add/renew", _) => (seen(2, 2, None), 2, true),
            ("/add/login", _) => (seen(1, 2, Some("alice")), 3, true),
            ("/logout", _) => (None, 2, false),
            other => panic!("{other:?}"),
        };
        assert_eq!((now, entries, issued), expected, "{what}");
        if case.path == "/logout" {
            assert!(line.unwrap().contains("Max-Age=0"), "{what}");
        } else {
            self.sessions += 1;
            assert_eq!(line.is_some(), issued, "{what}");
        }
        if matches!(case.path, "/add/renew" | "/add/login") {
            assert_eq!(old, None, "{what}: the old token opens nothing");
        }
    }

    /// It is there, once, or it is not there.
    fn check_unavailable(&mut self, case: Case, cut: Cut, old: Option<Seen>, entries: u64, what: &str) {
        let prepared = match case.start {
            Start::Anonymous => 0,
            Start::Behind(_) => 2,
            _ => 1,
        };
        let done = entries - prepared;
        match (case.path, &old) {
            ("/", Some(old)) => assert_eq!((old.version, old.count, done), (1, 1, 0), "{what}"),
            // A session that nobody holds, or none.
            ("/add", None) if case.start == Start::Anonymous => {
                assert!(done <= 1, "{what}");
                self.sessions += usize::try_from(done).unwrap();
            }
            (_, Some(old)) => {
                assert_eq!(old.version, prepared + done, "{what}: a version for each entry");
                let added = u64::from(case.start == Start::Behind("/add")) + done;
                assert_eq!(old.count, 1 + added, "{what}");
                assert!(done <= u64::from(case.path == "/add"), "{what}");
            }
            ("/logout", None) => assert_eq!(done, 1, "{what}"),
            // Renewed: it is under the new token, and the old one leads there.
            ("/add/renew", None) => assert_eq!(done, 1, "{what}"),
            // Ended, and perhaps begun anew under a token that nobody knows.
            ("/add/login", None) => assert!((1..=2).contains(&done), "{what}"),
            other => panic!("{what}: {other:?}"),
        }
        self.sessions += usize::from(old.is_some());
        self.sessions += usize::from(case.path == "/add/renew" && old.is_none());
        self.sessions += usize::from(case.path == "/add/login" && old.is_none() && done == 2);
        let unsent = cut.way == Way::Request && cut.bytes < 64 && case.exchange == 1;
        assert!(!unsent || done == 0, "{what}: Redis never saw the whole of it");
    }

    /// Nothing is left that nobody accounts for.
    async fn close(self, unavailable: usize) {
        let left = self.eye.whole().await;
        assert_eq!(left, self.sessions, "{unavailable} answers were 503");
    }
}
