//! What goes in comes out.

use cloakroom::record::{Delta, Json, Write};

use crate::backend::{Backend, change, creation, is, name, set, values};
use cloakroom::store::SessionStore as _;

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
    assert!(record.fields[&name("otp")].secret && !record.fields[&name("plain")].secret);

    let mut delta: Delta = set(&[("otp", "\"654321\"")]);
    delta.changes.get_mut(&name("otp")).unwrap().secret = true;
    backend.committed(&change(&record, delta)).await;
    let field = backend.found(create.at).await.fields[&name("otp")].clone();
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
