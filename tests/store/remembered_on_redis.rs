//! Which of a session's events are remembered, on Redis.

use std::{num::NonZeroU8, time::Duration};

use cloakroom::{
    id::Address,
    record::{Record, Version},
    store::{Commit, Committed, Confirm, Confirmed, RedisStore, SessionStore as _},
};

use crate::backend::{Any, Backend, change, set};

struct World {
    server: servers::Redis,
    backend: Backend,
    at: Address,
    now: Record,
    changes: Vec<Commit>,
}

impl World {
    async fn start() -> Self {
        let server = servers::Redis::start().unwrap();
        let store = RedisStore::builder(server.url()).build().unwrap();
        let backend = Backend::of(Any::Redis(store));
        let (at, now) = backend.create(&[]).await;
        Self { server, backend, at, now, changes: Vec::new() }
    }

    /// Changes the session so often, each time as it is.
    async fn change(&mut self, times: usize) {
        for n in 0..times {
            let commit = change(&self.now, set(&[("n", &n.to_string())]));
            self.backend.committed(&commit).await;
            self.now = self.backend.found(self.at).await;
            self.changes.push(commit);
        }
    }

    /// A change is asked for again, as after a lost reply.
    async fn again(&self, version: u64) -> Committed {
        self.backend.commit(&self.changes[usize::try_from(version).unwrap() - 2]).await
    }

    fn redis(&self, command: &[&str]) -> String {
        let key = self.server.command(&["KEYS", "*:s:*"]).unwrap();
        let command: Vec<&str> =
            command.iter().map(|word| if *word == "KEY" { key.as_str() } else { word }).collect();
        self.server.command(&command).unwrap()
    }

    /// How many are in each of the two fields.
    fn remembered(&self) -> (usize, usize) {
        let length = |field| self.redis(&["HSTRLEN", "KEY", field]).parse::<usize>().unwrap();
        let older = length("older").saturating_sub("~1795478349478 ".len());
        // The last one's id stands there whole.
        let before = format!("h{} ", self.version()).len() + 8;
        ((length("h") - before) / 8, older / 8)
    }

    fn version(&self) -> u64 {
        self.now.base.version.get()
    }
}

#[tokio::test]
async fn a_repeat_is_known_however_it_is_remembered() {
    let mut world = World::start().await;
    for _ in 0..100 {
        world.change(1).await;
        for version in [2, world.version() / 2 + 1, world.version()] {
            let answer = world.again(version).await;
            assert!(
                matches!(answer, Committed::Committed { version: known, .. } if known == Version::new(version)),
                "{version} of {}: {answer:?}",
                world.version()
            );
        }
        let (newer, older) = world.remembered();
        assert!((1..=16).contains(&newer), "{newer}");
        assert_eq!((newer + older) as u64, world.version());
    }
    assert_eq!(world.backend.found(world.at).await.base, world.now.base, "nothing was done twice");
}

#[tokio::test]
async fn a_burst_is_remembered_up_to_a_bound() {
    let mut world = World::start().await;
    world.change(400).await;
    let (newer, older) = world.remembered();
    assert!((1..=16).contains(&newer) && older == 256, "{newer} {older}");
    let oldest = world.version() - (newer + older) as u64 + 1;
    let answer = world.again(oldest).await;
    assert!(
        matches!(answer, Committed::Committed { version, .. } if version == Version::new(oldest)),
        "{answer:?}"
    );
    // Nor would waiting for replicas take it for lost, and what is forgotten it does.
    for (version, expected) in [(oldest, Confirmed::TooFew(0)), (oldest - 1, Confirmed::Lost)] {
        let event = world.changes[usize::try_from(version).unwrap() - 2].event;
        let timeout = Duration::from_millis(1);
        let confirm = Confirm { at: world.at, event, replicas: NonZeroU8::MIN, timeout };
        let Any::Redis(store) = &world.backend.store else { unreachable!() };
        assert_eq!(store.confirm(&confirm).await.unwrap(), expected);
    }
    // It was based on one that is not known any more, and whether it is a repeat can't be told.
    let answer = world.again(oldest - 1).await;
    assert!(matches!(answer, Committed::Behind { never: false, .. }), "{answer:?}");
}

/// Ten seconds are over: Redis is told so.
#[tokio::test]
async fn what_is_older_than_a_burst_is_forgotten() {
    let mut world = World::start().await;
    world.change(100).await;
    let (newer, older) = world.remembered();
    assert!(older > 48);
    let text = "local value = redis.call('HGET', KEYS[1], 'older')
                local at, rest = string.match(value, '^~(%d+) (.*)$')
                redis.call('HSET', KEYS[1], 'older', string.format('~%.0f ', at - 10001) .. rest)";
    world.redis(&["EVAL", text, "1", "KEY"]);
    // Until the next are cut off.
    let answer = world.again(2).await;
    assert!(matches!(answer, Committed::Committed { .. }), "{answer:?}");
    world.change(17 - newer).await;
    assert_eq!(world.remembered(), (1, 32 + 16));
    let oldest = world.version() - 48;
    let answer = world.again(oldest).await;
    assert!(matches!(answer, Committed::Committed { .. }), "{answer:?}");
    let answer = world.again(2).await;
    assert!(matches!(answer, Committed::Behind { never: true, .. }), "{answer:?}");
}
