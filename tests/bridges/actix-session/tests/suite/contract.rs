//! What a store of actix-session owes, asked of the store itself.

use std::collections::HashMap;

use actix_session::storage::{LoadError, SessionStore as _, UpdateError, generate_session_key};
use actix_web::cookie::time::Duration;
use serde_json::{Value, json};

use crate::backend::Backend;

const LIFE: Duration = Duration::seconds(100);

fn state(values: &[(&str, &str)]) -> HashMap<String, String> {
    values.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

pub async fn a_state_comes_back_as_it_went(backend: Backend) {
    let long = "x".repeat(200);
    let state = state(&[
        ("number", "1.50"),
        ("text", "\"a\\u0000b\""),
        ("spaced", " {\"a\" : [ ]} "),
        ("not JSON", "{oops"),
        ("", "\"no name\""),
        (":meta", "null"),
        (&long, "not JSON either"),
    ]);
    let key = backend.store.save(state.clone(), &LIFE).await.unwrap();
    assert_eq!(backend.store.load(&key).await.unwrap(), Some(state));
    assert!(!backend.dump().contains(key.as_ref()));
    assert!(backend.ttl().is_none_or(|ttl| (90_000..=100_000).contains(&ttl)));
}

pub async fn what_is_not_there_is_none(backend: Backend) {
    let key = generate_session_key();
    assert_eq!(backend.store.load(&key).await.unwrap(), None);
    backend.store.update_ttl(&key, &LIFE).await.unwrap();
    backend.store.delete(&key).await.unwrap();
    assert_eq!(backend.store.load(&key).await.unwrap(), None);
    let over = backend.store.save(state(&[("a", "1")]), &Duration::ZERO).await.unwrap();
    assert_eq!(backend.store.load(&over).await.unwrap(), None);
}

pub async fn an_update_replaces_the_whole_state(backend: Backend) {
    let key = backend.store.save(state(&[("gone", "1"), ("same", "1"), ("odd", "{")]), &LIFE).await.unwrap();
    let (name, after) = (key.as_ref().to_owned(), state(&[("same", "1"), ("odd", "2"), ("new", "}")]));
    let key = backend.store.update(key, after.clone(), &LIFE).await.unwrap();
    assert_eq!(key.as_ref(), name);
    assert_eq!(backend.store.load(&key).await.unwrap(), Some(after));
}

pub async fn an_update_of_a_purged_session_revives_nothing(backend: Backend) {
    let key = backend.store.save(state(&[("user", "1")]), &LIFE).await.unwrap();
    let again = || key.as_ref().to_owned().try_into().unwrap();
    backend.store.delete(&again()).await.unwrap();
    match backend.store.update(again(), state(&[("user", "2")]), &LIFE).await {
        Err(UpdateError::Other(error)) => assert!(error.to_string().contains("destroyed"), "{error}"),
        other => panic!("updated: {other:?}"),
    }
    assert_eq!(backend.store.load(&key).await.unwrap(), None);
}

pub async fn an_update_of_an_expired_session_begins_another(backend: Backend) {
    let key = generate_session_key();
    let name = key.as_ref().to_owned();
    let after = state(&[("a", "1")]);
    let other = backend.store.update(key, after.clone(), &LIFE).await.unwrap();
    assert_ne!(other.as_ref(), name);
    assert_eq!(backend.store.load(&other).await.unwrap(), Some(after));
    assert_eq!(backend.store.load(&name.try_into().unwrap()).await.unwrap(), None);
}

pub async fn a_state_that_cant_be_read_says_so(backend: Backend) {
    // The keys without a field of their own share one, which somebody has damaged.
    let key = backend.store.save(state(&[("", "1")]), &LIFE).await.unwrap();
    if backend.damage(".:rest") {
        assert!(matches!(backend.store.load(&key).await, Err(LoadError::Deserialization(_))));
        // Their middleware goes on with nothing and saves that.
        let after = state(&[("a", "1")]);
        let key = backend.store.update(key, after.clone(), &LIFE).await.unwrap();
        assert_eq!(backend.store.load(&key).await.unwrap(), Some(after));
    }
}

pub async fn the_trail_tells_which_keys_changed(backend: Backend) {
    let key = backend.store.save(state(&[("same", "1"), ("changed", "1")]), &LIFE).await.unwrap();
    let key = backend.store.update(key, state(&[("same", "1"), ("changed", "2")]), &LIFE).await.unwrap();
    backend.store.delete(&key).await.unwrap();
    let trail: Vec<Value> =
        backend.trail().iter().map(|entry| serde_json::from_str(entry).unwrap()).collect();
    let kinds: Vec<_> = trail.iter().map(|entry| entry["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["created", "changed", "ended"]);
    assert_eq!(trail[1]["set"], json!({"changed": 2}));
}
