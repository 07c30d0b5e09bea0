//! What goes in comes out.

use cloakroom::{
    error::ErrorKind,
    record::{Delta, Json, Operation, Version, Write},
    store::{Created, MAX_CHANGES, SessionStore as _},
};

use crate::backend::{Backend, change, creation, is, name, set, values};

/// Lua's numbers are doubles and its JSON turns `[]` into `{}`: no value may pass through either.
pub async fn values_come_back_as_they_went(backend: Backend) {
    let shapes = [
        ("empty", "[]"),
        ("large", "9007199254740993"),
        ("huge", "1e400000"),
        ("nul", r#""\u0000""#),
        ("lone", r#""\ud800""#),
        ("text", "\"ümläut 🧥 \u{202e}\""),
        ("deep", "[[[[[[{\"a\":[]}]]]]]]"),
    ];
    let (at, record) = backend.create(&shapes).await;
    assert!(is(&values(&record), &shapes), "{:?}", values(&record));
    backend.committed(&change(&record, set(&shapes))).await;
    assert!(is(&values(&backend.found(at).await), &shapes));
}

pub async fn a_secret_stays_marked(backend: Backend) {
    let mut create = creation(&[("otp", "\"123456\""), ("plain", "1")]);
    create.delta.changes.get_mut(&name("otp")).unwrap().secret = true;
    let _ = backend.store.create(&create).await.unwrap();
    let record = backend.found(create.at).await;
    assert!(record.fields.get("otp").unwrap().secret && !record.fields.get("plain").unwrap().secret);

    let mut delta: Delta = set(&[("otp", "\"654321\"")]);
    delta.changes.get_mut(&name("otp")).unwrap().secret = true;
    backend.committed(&change(&record, delta)).await;
    let field = backend.found(create.at).await.fields.get("otp").unwrap();
    assert!(field.secret);
    assert_eq!((field.version.get(), field.value), (2, Json::from_text("\"654321\"")));
}

pub async fn many_keys_and_large_values(backend: Backend) {
    let names: Vec<_> = (0..256).map(|n| format!("key-{n}")).collect();
    let value = format!("\"{}\"", "v".repeat(240));
    let all: Vec<_> = names.iter().map(|name| (name.as_str(), value.as_str())).collect();
    let (at, record) = backend.create(&all).await;
    assert_eq!(record.fields.len(), 256);
    let mut delta = set(&all);
    for change in delta.changes.values_mut() {
        change.write = Write::Remove;
    }
    backend.committed(&change(&record, delta)).await;
    let large = format!("\"{}\"", "v".repeat(60_000));
    let record = backend.found(at).await;
    assert!(record.fields.is_empty());
    backend.committed(&change(&record, set(&[("large", &large)]))).await;
    assert!(is(&values(&backend.found(at).await), &[("large", &large)]));
}

/// Lua fails on too many values at a time, and what a script wrote before it failed stays.
pub async fn a_change_of_too_many_keys_is_refused_whole(backend: Backend) {
    let names: Vec<_> = (0..=MAX_CHANGES).map(|n| format!("key-{n}")).collect();
    let all: Vec<_> = names.iter().map(|name| (name.as_str(), "1")).collect();
    let error = backend.store.create(&creation(&all)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit);

    let (at, record) = backend.create(&[("a", "1")]).await;
    let error = backend.store.commit(&change(&record, set(&all))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit);
    assert_eq!(backend.found(at).await.base, record.base);

    // As many as are allowed pass, in each of the forms that pass through Lua: set, worked out, removed.
    let most = &all[..MAX_CHANGES];
    assert_eq!(backend.committed(&change(&record, set(most))).await, Version::new(2));
    for write in [Write::Apply(vec![Operation::Increment(1)]), Write::Remove] {
        let record = backend.found(at).await;
        let mut delta = set(most);
        for change in delta.changes.values_mut() {
            change.write = write.clone();
        }
        backend.committed(&change(&record, delta)).await;
    }
    assert!(is(&values(&backend.found(at).await), &[("a", "1")]));
    assert!(matches!(backend.store.create(&creation(most)).await.unwrap(), Created::Created { .. }));
}
