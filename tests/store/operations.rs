//! What the store works out by itself comes to the same in every store.

use cloakroom::{
    record::{Change, Delta, Json, Operation, Version, Write},
    store::{Anew, Committed, Created, Loaded, SessionStore as _, SignIn},
};

use crate::backend::{Backend, IDLE, beside, change, creation, name, renewal, set};

const VALUES: [&str; 18] = [
    "",
    "0",
    "-1",
    "7",
    "9007199254740991",
    "-9007199254740991",
    "1.5",
    "1e3",
    "\"text\"",
    "null",
    "{\"a\":[1,2]}",
    "[]",
    "[1]",
    "[ 1 , \"a,]\\\"[\" , {\"b\":\"},\"} , [[],{}] ]",
    "[\"\\\\\",1.50,123456789012346]",
    "[\"é\\u0000\",1]",
    "99999999999999999",
    "-",
];

fn operations() -> Vec<Operation> {
    let json = |text: &str| Json::from_text(text);
    let push = |text: &str, cap| Operation::Push { element: json(text), cap };
    vec![
        Operation::Increment(1),
        Operation::Increment(-8),
        Operation::Increment(9_007_199_254_740_991),
        Operation::Max(0),
        Operation::Max(-9_007_199_254_740_991),
        push("{\"c\":[]}", 2),
        push("1", 0),
        push("\"a:b\"", 100),
        Operation::Add(json("1")),
        Operation::Add(json("\"a,]\\\"[\"")),
        Operation::Discard(json("1")),
        Operation::Discard(json("\"\\\\\"")),
        Operation::Discard(json("[[],{}]")),
    ]
}

/// Every operation, and every two of them, on every value.
pub async fn operations_come_to_the_same_everywhere(backend: Backend) {
    let (at, mut now) = backend.create(&[("a", "0")]).await;
    let single = operations().into_iter().map(|operation| vec![operation]);
    let pairs = operations().into_iter().zip(operations().into_iter().cycle().skip(5));
    let programs: Vec<_> = single.chain(pairs.map(|(a, b)| vec![a, b])).collect();
    let (mut applied, mut refused) = (0, 0);
    for value in VALUES {
        for program in &programs {
            let mut start = set(&[("v", value)]);
            if value.is_empty() {
                start.changes.values_mut().for_each(|change| change.write = Write::Remove);
            }
            backend.committed(&change(&now, start)).await;
            now = backend.found(at).await;
            let before = now.fields.get("v").map(|field| field.value.clone());

            let apply = Change { write: Write::Apply(program.clone()), watched: None, secret: false };
            let delta = Delta { clear: false, changes: [(name("v"), apply)].into() };
            let answer = backend.commit(&change(&now, delta)).await;
            let expected = Operation::apply_all(program, before.as_ref());
            match (answer, &expected) {
                (Committed::Committed { .. }, Ok(_)) => applied += 1,
                (Committed::Conflict { keys, .. }, Err(_)) => {
                    assert_eq!(keys, [name("v")]);
                    refused += 1;
                }
                (answer, expected) => panic!("{program:?} on {value:?}: {answer:?} and not {expected:?}"),
            }
            let then = backend.found(at).await;
            let came_to = then.fields.get("v").map(|field| field.value.as_str().to_owned());
            let expected = expected.unwrap_or(before).map(|value| value.as_str().to_owned());
            assert_eq!(came_to, expected, "{program:?} on {value:?}");
            now = then;
        }
    }
    assert!(applied > 90 && refused > 100, "{applied}, {refused}");
}

/// The answer to a lost reply is the session as it is, so that the request goes on from that.
pub async fn a_repeated_operation_happens_once(backend: Backend) {
    let (at, base) = backend.create(&[("v", "1")]).await;
    let apply = Change { write: Write::Apply(vec![Operation::Increment(1)]), watched: None, secret: true };
    let delta = Delta { clear: false, changes: [(name("v"), apply)].into() };
    let commit = change(&base, delta);
    assert_eq!(backend.committed(&commit).await, Version::new(2));
    backend.committed(&change(&backend.found(at).await, set(&[("b", "1")]))).await;
    match backend.commit(&commit).await {
        Committed::Committed { version, merged: Some(now), .. } => {
            assert_eq!((version, now.base.version), (Version::new(2), Version::new(3)));
            let v = now.fields.get("v").unwrap();
            assert_eq!((v.value.as_str(), v.secret), ("2", true));
            assert!(now.fields.contains_key("b"));
        }
        other => panic!("{other:?}"),
    }
}

/// A sign-in anew moves the session in one commit, and the old address leads nowhere.
pub async fn a_sign_in_anew_is_one_commit(backend: Backend) {
    let (at, base) = backend.create(&[("a", "1")]).await;
    let to = beside(at);
    let mut renew = renewal(to);
    let sign_in = SignIn { user: "alice".into(), method: Some("otp".into()), listing: None };
    renew.anew = Some(Anew { sign_in, absolute: IDLE * 3 });
    let mut commit = change(&base, set(&[("b", "2")]));
    commit.renewal = Some(renew);
    for _ in 0..2 {
        assert_eq!(backend.committed(&commit).await, Version::new(2), "also if the reply was lost");
    }
    let now = backend.found(to).await;
    assert_eq!((now.user.as_deref(), now.base.version), (Some("alice"), Version::new(2)));
    let authentication = now.authentication.unwrap();
    assert_eq!(authentication.method.as_deref(), Some("otp"));
    assert_eq!(now.deadline, authentication.at.plus(IDLE * 3));
    assert_eq!(now.created_at, base.created_at);
    assert!(matches!(backend.load(at).await, Loaded::Ended(_)));
    let late = change(&base, set(&[("a", "9")]));
    assert!(matches!(backend.commit(&late).await, Committed::Gone(_)), "no grace");

    let here = backend.found(to).await;
    let mut second = creation(&[("x", "1")]);
    second.at = beside(to);
    assert!(matches!(backend.store.create(&second).await.unwrap(), Created::Created { .. }));
    let mut onto = change(&here, set(&[]));
    onto.renewal = Some(renewal(second.at));
    assert_eq!(backend.commit(&onto).await, Committed::Taken, "never over another session");
}

/// A token that is used after its grace is told apart from one that nobody knows.
pub async fn the_grace_ends_and_is_remembered(backend: Backend) {
    let (at, base) = backend.create(&[("a", "1")]).await;
    let to = beside(at);
    let mut renew = renewal(to);
    renew.grace = std::time::Duration::ZERO;
    let mut commit = change(&base, set(&[]));
    commit.renewal = Some(renew);
    backend.committed(&commit).await;
    assert_eq!(backend.load(at).await, Loaded::Replayed { successor: to });
    let late = change(&base, set(&[("a", "9")]));
    assert!(matches!(backend.commit(&late).await, Committed::Gone(_)));
    assert_eq!(
        backend.store.load(at, cloakroom::store::Touch::Peek, IDLE).await.unwrap(),
        Loaded::Replayed { successor: to }
    );
    assert_eq!(backend.found(to).await.fields.get("a").unwrap().value.as_str(), "1");
}
