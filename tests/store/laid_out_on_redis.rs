//! Small values stand together and large ones by themselves, on Redis, whichever way a commit takes there: worked out
//! by the client, where the session is as it was loaded or as the last commit made it, or by the script.

use std::collections::{BTreeMap, BTreeSet};

use cloakroom::{
    record::{Change, Delta, Image, Json, Operation, Record, Write},
    store::{Commit, Committed, MemoryStore, RedisStore},
};
use proptest::{
    collection::{btree_map, vec},
    option,
    prelude::*,
    test_runner::TestRunner,
};

use crate::backend::{Any, Backend, change, name, set};

/// The most bytes of a small value.
const SMALL: usize = 128;

/// JSON text of so many bytes.
fn json(bytes: usize) -> String {
    format!("\"{}\"", "x".repeat(bytes - 2))
}

/// What a change of a key is: of how many bytes, or a removal, or an operation; read before or not; secret or not.
type Wish = (Option<usize>, bool, bool, Option<usize>);

fn operation(nth: usize) -> Operation {
    let element = || Json::from_text(["7", "{\"a\":[1,\"],\"]}"][nth % 2]);
    match nth % 6 {
        0 => Operation::Increment(3),
        1 => Operation::Max(40),
        2 | 3 => Operation::Push { element: element(), cap: 40 },
        4 => Operation::Add(element()),
        _ => Operation::Discard(element()),
    }
}

fn wishes() -> impl Strategy<Value = Vec<(bool, BTreeMap<usize, Wish>)>> {
    let bytes = prop_oneof![
        2..20_usize,
        Just(SMALL - 1),
        Just(SMALL),
        Just(SMALL + 1),
        Just(255_usize),
        Just(9000_usize)
    ];
    let wish =
        (option::weighted(0.8, bytes), any::<bool>(), any::<bool>(), option::weighted(0.4, 0..12_usize));
    vec((prop::bool::weighted(0.1), btree_map(0..6_usize, wish, 0..4)), 1..12)
}

fn delta(clear: bool, wishes: &BTreeMap<usize, Wish>, now: &Record) -> Delta {
    let changes = wishes.iter().map(|(key, (bytes, watched, secret, wished))| {
        let name = name(&format!("key-{key}"));
        let write = match bytes {
            _ if wished.is_some() => {
                Write::Apply(wished.iter().flat_map(|nth| [*nth, nth / 2]).map(operation).collect())
            }
            Some(bytes) => Write::Set(Json::from_text(json(*bytes))),
            None => Write::Remove,
        };
        let watched = (*watched && wished.is_none()).then(|| now.fields.contains_key(name.as_str()));
        (name, Change { write, watched, secret: *secret })
    });
    Delta { clear, changes: changes.collect() }
}

#[test]
fn every_way_leads_to_the_same() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let server = servers::Redis::start().unwrap();
    let of = |namespace: &str| {
        let store = RedisStore::builder(server.url()).namespace(namespace).build().unwrap();
        Backend::of(Any::Redis(store))
    };
    let memory = Backend::of(Any::Memory(MemoryStore::new()));
    let ways = [of("at-once"), of("by-script"), of("from-the-last"), memory];
    TestRunner::new(ProptestConfig::with_cases(150))
        .run(&wishes(), |wishes| {
            runtime.block_on(async {
                server.command(&["FLUSHALL"]).unwrap();
                let mut records = Vec::new();
                let large = json(500);
                let begun = [("key-0", "[1]"), ("key-2", "5"), ("key-1", &large)];
                // Half of them begin without a large value.
                let begun = &begun[..2 + wishes.len() % 2];
                for way in &ways {
                    records.push(way.create(begun).await.1);
                }
                // What the last commit made, for the next one without a load between them.
                let mut made = None;
                for (clear, wishes) in wishes {
                    for ((way, backend), now) in ways.iter().enumerate().zip(&mut records) {
                        let commit = change(now, delta(clear, &wishes, now));
                        let image = match way {
                            1 => Image::default(),
                            2 => made.take().unwrap_or_else(|| now.image.clone()),
                            _ => now.image.clone(),
                        };
                        // An operation that does not fit is a conflict, by each way.
                        let answer = backend.commit(&Commit { image, ..commit }).await;
                        if let (2, Committed::Committed { image, .. }) = (way, answer) {
                            // The script has none to give.
                            made = Some(image).filter(|image| format!("{image:?}") != "Image");
                        }
                        *now = backend.found(now.address).await;
                    }
                    let [redis @ .., memory] = &records[..] else { unreachable!() };
                    for record in redis {
                        assert_eq!(record.fields, memory.fields);
                    }
                    for key in server.command(&["KEYS", "*:s:*"]).unwrap().lines() {
                        each_in_one_place(&server, key, memory);
                    }
                }
            });
            Ok(())
        })
        .unwrap();
}

fn each_in_one_place(server: &servers::Redis, key: &str, record: &Record) {
    let fields = server.command(&["HKEYS", key]).unwrap();
    let own: BTreeSet<String> =
        fields.lines().filter_map(|name| name.strip_prefix('.')).map(str::to_owned).collect();
    let small = "local names, p, at = {}, redis.call('HGET', KEYS[1], 'p'), 2
        while at <= #p do
            local name, value = string.byte(p, at + 6, at + 7)
            names[#names + 1] = string.sub(p, at + 8, at + 7 + name)
            at = at + 8 + name + value
        end
        return names";
    let small = server.command(&["EVAL", small, "1", key]).unwrap();
    let small: Vec<&str> = small.lines().filter(|name| !name.is_empty()).collect();
    let of = |large: bool| -> BTreeSet<String> {
        let fields = record.fields.iter().filter(|(_, field)| (field.value.as_str().len() > SMALL) == large);
        fields.map(|(name, _)| name.to_string()).collect()
    };
    assert_eq!(own, of(true), "{key}");
    assert_eq!(small.len(), of(false).len(), "{key}: each once");
    assert_eq!(small.into_iter().map(str::to_owned).collect::<BTreeSet<_>>(), of(false), "{key}");
}

#[tokio::test]
async fn what_did_not_change_is_not_sent_again() {
    let server = servers::Redis::start().unwrap();
    let backend = Backend::of(Any::Redis(RedisStore::builder(server.url()).build().unwrap()));
    let small: Vec<_> = (0..8).map(|n| (format!("small-{n}"), json(60))).collect();
    let mut values: Vec<(&str, &str)> = small.iter().map(|(name, value)| (&**name, &**value)).collect();
    let large = json(60_000);
    values.push(("large", &large));
    let (at, record) = backend.create(&values).await;
    let received = || -> u64 {
        let info = server.command(&["INFO", "stats"]).unwrap();
        let line = info.lines().find_map(|line| line.strip_prefix("total_net_input_bytes:"));
        line.unwrap().trim().parse().unwrap()
    };
    // So that Redis knows the script.
    backend.committed(&change(&record, set(&[("small-1", "1")]))).await;
    for (delta, most) in [(set(&[("small-3", "1")]), 2_000), (set(&[("large", &large)]), 61_000)] {
        let now = backend.found(at).await;
        let before = received();
        backend.committed(&change(&now, delta)).await;
        let sent = received() - before;
        assert!(sent < most, "{sent} bytes");
    }
    let now = backend.found(at).await;
    assert_eq!((now.fields.len(), now.base.version.get()), (9, 4));
}
