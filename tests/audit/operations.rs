//! The trail tells what an operation came to, which only the store knows.

use std::{collections::BTreeMap, time::Duration};

use cloakroom::{
    audit::RequestContext,
    id::{Address, EventId, IdleClass, SessionRef, ShardCount},
    record::{Base, Change, Delta, FieldName, Image, Json, Operation, Version, Write},
    store::{Commit, Create, Created, Loaded, Policy, SessionStore as _, Touch},
};

use crate::site::shared;

fn name(name: &str) -> FieldName {
    FieldName::new(name).unwrap()
}

fn change(write: Write, secret: bool) -> Change {
    Change { write, watched: None, secret }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_trail_holds_the_value_that_an_operation_came_to() {
    are_told(false).await;
}

/// Also where the client worked them out, because nobody was faster.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_trail_holds_the_value_that_an_operation_came_to_when_they_are_foreseen() {
    are_told(true).await;
}

async fn are_told(foreseen: bool) {
    let site = shared(1).await;
    let shard = ShardCount::new(1).unwrap().iter().next().unwrap();
    let at = Address { reference: SessionRef::from_bytes([7; 32]), shard, class: IdleClass::default() };
    let hour = Duration::from_secs(3600);
    let created = EventId::new();
    let begin: BTreeMap<_, _> = [
        (name("n"), change(Write::Apply(vec![Operation::Increment(40)]), false)),
        (name("otp"), change(Write::Set(Json::from_text("770")), true)),
    ]
    .into();
    let create = Create {
        at,
        event: created,
        idle: hour,
        absolute: hour,
        sign_in: None,
        device: None,
        delta: Delta { clear: false, changes: begin },
        predecessor: None,
        context: RequestContext::default().into(),
    };
    assert!(matches!(site.store.create(&create).await.unwrap(), Created::Created { .. }));
    let odd = "a \"key\"";
    let changes = [
        (name("n"), change(Write::Apply(vec![Operation::Increment(1), Operation::Increment(1)]), false)),
        (name("otp"), change(Write::Apply(vec![Operation::Increment(7)]), true)),
        (name(odd), change(Write::Apply(vec![Operation::Add(Json::from_text("{\"x\":[]}"))]), false)),
        (name("plain"), change(Write::Set(Json::from_text("true")), false)),
    ];
    let Loaded::Found(record) = site.store.load(at, Touch::Refresh, hour).await.unwrap() else { panic!() };
    let commit = Commit {
        at,
        event: EventId::new(),
        base: Base { version: Version::new(1), head: created },
        image: if foreseen { record.image } else { Image::default() },
        delta: Delta { clear: false, changes: changes.into() },
        policy: Policy::Merge,
        idle: hour,
        touch: Touch::Refresh,
        renewal: None,
        user: None,
        context: RequestContext::default().into(),
    };
    let _ = site.store.commit(&commit).await.unwrap();

    let writer = site.writer();
    let stopping = writer.stop_handle();
    let running = tokio::spawn(writer.run());
    site.until_drained().await;
    stopping.stop();
    assert_eq!(running.await.unwrap().dead, 0);
    let rows: Vec<serde_json::Value> =
        sqlx::query_scalar("SELECT delta FROM cloakroom.session_event ORDER BY version")
            .fetch_all(&site.pool)
            .await
            .unwrap();
    assert_eq!(rows[0], serde_json::json!({"set": {"n": 40}, "secret": ["otp"]}));
    let expected = serde_json::json!({
        "set": {"n": 42, odd: [{"x": []}], "plain": true},
        "secret": ["otp"],
    });
    assert_eq!(rows[1], expected, "and the secret's value is nowhere");
}
