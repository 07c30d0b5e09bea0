//! Ten thousand sessions over one connection, with clients that go away at random moments: nobody ever
//! sees another's data, and what was acknowledged counts once (D5; CVE-2023-28858).

use std::{
    future::poll_fn,
    pin::pin,
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use cloakroom::store::{RedisStore, SessionStore as _};
use http::StatusCode;
use servers::Redis;

use crate::{client::Client, eye::Eye};

const SESSIONS: usize = 10_000;
const TASKS: usize = 64;

/// One visitor: what was acknowledged, and what may have happened or not.
struct Visitor {
    client: Client,
    acknowledged: u64,
    open: u64,
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_sessions_keep_apart_on_one_connection() {
    let begun = Instant::now();
    let redis = Redis::start().unwrap();
    let builder = RedisStore::builder(redis.url()).shards(1).timeout(Duration::from_secs(30));
    let store = builder.build().unwrap();
    store.ready().await.unwrap();
    let eye = Arc::new(Eye::on(&redis.url(), "session").await);

    // Each task has its share of the sessions, and goes through them in turn while all others do so
    // with theirs: neighbours on the connection are always of different sessions.
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let (store, eye) = (store.clone(), Arc::clone(&eye));
            tokio::spawn(async move {
                let mut random = Random(task as u64 + 1);
                let owners: Vec<_> = (task..SESSIONS).step_by(TASKS).collect();
                let mut visitors = Vec::with_capacity(owners.len());
                for owner in &owners {
                    let mut client = Client::of(store.clone());
                    client.expect(&format!("/is:{owner}/add/who"), &owner.to_string()).await;
                    visitors.push(Visitor { client, acknowledged: 1, open: 0 });
                }
                let mut answered = 0;
                for _ in 0..owners.len() {
                    let at = random.below(owners.len());
                    answered += usize::from(visit(&mut visitors[at], owners[at], &mut random).await);
                }
                for (visitor, owner) in visitors.iter_mut().zip(&owners) {
                    let (seen, _) = eye.look(visitor.client.token()).await;
                    let seen = seen.expect("a session that nobody ended");
                    let most = visitor.acknowledged + visitor.open;
                    assert!((visitor.acknowledged..=most).contains(&seen.count), "{owner}: {seen:?}, {most}");
                    assert_eq!(seen.version, seen.count, "{owner}");
                }
                answered
            })
        })
        .collect();
    let mut answered = 0;
    for task in tasks {
        answered += task.await.unwrap();
    }
    println!("{answered} of {SESSIONS} were answered, in {:?}", begun.elapsed());
    assert!((SESSIONS / 2..SESSIONS).contains(&answered), "{answered}: some are dropped, and some are not");
    assert_eq!(eye.whole().await, SESSIONS);
    let clients = redis.command(&["CLIENT", "LIST", "TYPE", "normal"]).unwrap();
    // Its own, and that of who looks, and the one that asks.
    assert_eq!(clients.lines().filter(|line| !line.is_empty()).count(), 3, "{clients}");
}

/// Reads or adds; every other request is dropped after a random number of polls. Whether it was answered.
async fn visit(visitor: &mut Visitor, owner: usize, random: &mut Random) -> bool {
    let (path, adds) = [("/who", 0), ("/add/who", 1)][random.below(2)];
    let polls = if random.below(2) == 0 { random.below(8) } else { usize::MAX };
    let mut polled = 0;
    let answer = {
        let mut request = pin!(visitor.client.get(path));
        poll_fn(|cx| {
            if polled == polls {
                return Poll::Ready(None);
            }
            polled += 1;
            match request.as_mut().poll(cx) {
                Poll::Ready(answer) => Poll::Ready(Some(answer)),
                // Half of them without waiting for an answer that may be on its way.
                Poll::Pending if polled == polls && polls % 2 == 0 => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    };
    let Some(answer) = answer else {
        visitor.open += adds;
        return false;
    };
    visitor.acknowledged += adds;
    assert_eq!((answer.status, answer.body), (StatusCode::OK, owner.to_string()), "{path}");
    assert_eq!(answer.set_cookie, None);
    true
}

/// Xorshift: the same requests in every run, as far as the scheduler lets them.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % end
    }
}
