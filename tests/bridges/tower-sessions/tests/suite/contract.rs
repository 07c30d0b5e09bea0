//! What a store of tower-sessions owes, asked of the store itself.

use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};
use tower_sessions::{
    SessionStore as _,
    session::{Id, Record},
    session_store::Error,
};

use crate::backend::Backend;

pub fn record(data: Value, life: Duration) -> Record {
    Record {
        id: Id::default(),
        data: data.as_object().unwrap().clone().into_iter().collect(),
        expiry_date: OffsetDateTime::now_utc() + life,
    }
}

pub async fn a_record_comes_back_as_it_went(backend: Backend) {
    let data = json!({
        "number": 1.5, "big": u64::MAX, "text": "a\u{0}b \u{1F9E5}", "null": null, "deep": [{"a": [[]]}],
        "": "no name", ":meta": "one of ours", "line\nbreak": true, "x".repeat(200): "long",
    });
    let mut record = record(data, Duration::HOUR);
    backend.store.create(&mut record).await.unwrap();
    assert_eq!(backend.store.load(&record.id).await.unwrap().as_ref(), Some(&record));
    assert_eq!(backend.store.load(&Id::default()).await.unwrap(), None);
    if let Some(ttl) = backend.ttl() {
        assert!((3_590_000..=3_600_000).contains(&ttl), "{ttl}");
        // A load is no activity for them.
        assert!(backend.store.load(&record.id).await.unwrap().is_some());
        assert!(backend.ttl().unwrap() <= ttl);
    }
    let dump = backend.dump();
    let bytes = format!("{:x}", record.id.0);
    assert!(!dump.contains(&record.id.to_string()) && !dump.contains(&bytes), "{dump}");
}

pub async fn a_save_replaces_the_whole_record(backend: Backend) {
    let mut record = record(json!({"gone": 1, "same": 1, "changed": 1}), Duration::HOUR);
    backend.store.create(&mut record).await.unwrap();
    record.data = [("same".to_owned(), json!(1)), ("changed".to_owned(), json!(2))].into();
    record.expiry_date += Duration::DAY;
    backend.store.save(&record).await.unwrap();
    assert_eq!(backend.store.load(&record.id).await.unwrap().as_ref(), Some(&record));
    if let Some(ttl) = backend.ttl() {
        assert!(ttl > 86_400_000, "{ttl}");
    }
}

pub async fn an_id_in_use_is_replaced_by_a_new_one(backend: Backend) {
    let mut first = record(json!({"whose": "first"}), Duration::HOUR);
    backend.store.create(&mut first).await.unwrap();
    let mut second = record(json!({"whose": "second"}), Duration::HOUR);
    second.id = first.id;
    backend.store.create(&mut second).await.unwrap();
    assert_ne!(first.id, second.id);
    assert_eq!(backend.store.load(&first.id).await.unwrap(), Some(first.clone()));
    assert_eq!(backend.store.load(&second.id).await.unwrap(), Some(second.clone()));
    // Nor is an id used again whose session ended.
    backend.store.delete(&first.id).await.unwrap();
    second.id = first.id;
    backend.store.create(&mut second).await.unwrap();
    assert_ne!(first.id, second.id);
}

pub async fn deleting_twice_or_nothing_is_fine(backend: Backend) {
    let mut record = record(json!({"a": 1}), Duration::HOUR);
    backend.store.create(&mut record).await.unwrap();
    for id in [record.id, record.id, Id::default()] {
        backend.store.delete(&id).await.unwrap();
        assert_eq!(backend.store.load(&id).await.unwrap(), None);
    }
}

pub async fn what_is_over_is_not_found(backend: Backend) {
    let mut over = record(json!({"a": 1}), -Duration::SECOND);
    backend.store.create(&mut over).await.unwrap();
    assert_eq!(backend.store.load(&over.id).await.unwrap(), None);
    let mut record = record(json!({"a": 1}), Duration::HOUR);
    backend.store.create(&mut record).await.unwrap();
    record.expiry_date = OffsetDateTime::now_utc() - Duration::SECOND;
    backend.store.save(&record).await.unwrap();
    assert_eq!(backend.store.load(&record.id).await.unwrap(), None);
}

pub async fn large_records_are_an_error_and_many_keys_are_not(backend: Backend) {
    let many = (0..5000).map(|n| (format!("key {n}"), json!(n))).collect();
    let mut record = record(Value::Object(many), Duration::HOUR);
    backend.store.create(&mut record).await.unwrap();
    assert_eq!(backend.store.load(&record.id).await.unwrap().as_ref(), Some(&record));
    record.data.insert("large".to_owned(), json!("x".repeat(1024 * 1024)));
    assert!(
        matches!(backend.store.save(&record).await, Err(Error::Backend(text)) if text.contains("allowed"))
    );
}
