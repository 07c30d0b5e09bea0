use std::sync::Arc;

use super::*;
use crate::{
    audit::RequestContext,
    clock::Timestamp,
    id::{EventId, IdleClass, Token, system_random},
    store::{Create, End},
};

fn name() -> FieldName {
    FieldName::new("n").unwrap()
}

/// A session with `n` = `value` at `version`.
fn record(value: u64, version: u64) -> Box<Record> {
    let token =
        Token::generate(crate::id::ShardCount::default().of_user("x"), IdleClass::default(), system_random);
    let write = Write::Set(Json::from_text(value.to_string()));
    let change = Change { write, watched: None, secret: false };
    let create = Create {
        at: token.unwrap().address(),
        event: EventId::new(),
        idle: Duration::from_secs(1),
        absolute: Duration::from_secs(1),
        sign_in: None,
        device: None,
        delta: Delta { clear: false, changes: [(name(), change)].into() },
        predecessor: None,
        context: Arc::new(RequestContext::default()),
    };
    let mut record = create.record(Timestamp::from_millis(1));
    record.base.version = Version::new(version);
    if let Some(field) = record.fields.get_mut(&name()) {
        field.version = Version::new(version);
    }
    Box::new(record)
}

fn increment(state: &mut State) {
    let replay: Replay = Box::new(|value: Option<&Json>| {
        let value: u64 = value.map_or(0, |value| value.as_str().parse().unwrap());
        Ok(Json::from_text((value + 1).to_string()))
    });
    state.update(name(), replay, false, &Limits::default()).unwrap();
}

fn seen(state: &mut State) -> u64 {
    state.read("n").unwrap().as_str().parse().unwrap()
}

/// As if it had just been sent. Which job it is does not matter here.
fn sent(state: &State) -> Pending {
    let end = End {
        at: record(0, 1).address,
        event: EventId::new(),
        reason: EndReason::Unknown,
        keep_fields: false,
        remember: Duration::from_secs(1),
        user: None,
        context: Arc::new(RequestContext::default()),
    };
    let (delta, replayed) = (state.delta.clone(), state.replay_counts());
    Pending { job: Arc::new(Job::End(end)), delta, replayed, ending: None, intent: None }
}

#[test]
fn an_update_made_while_another_is_stored_counts_once() {
    let mut state = State::found(record(1, 1));
    increment(&mut state);
    let pending = sent(&state);
    increment(&mut state);
    assert_eq!(seen(&mut state), 3);
    // Somebody else had counted, too: the store answers 5 where this request saw 2.
    state.settle(&pending, Some(record(5, 3)));
    assert_eq!(seen(&mut state), 6, "the second starts from what is stored");
    assert!(state.rebase(&[name()], record(10, 4)).unwrap());
    assert_eq!(seen(&mut state), 11, "and the first is not run again");
}

#[test]
fn what_was_stored_is_no_change_any_more() {
    let mut state = State::found(record(1, 1));
    increment(&mut state);
    let pending = sent(&state);
    assert!(state.wants_commit(true));
    state.settle(&pending, Some(record(2, 2)));
    assert!(!state.wants_commit(true));
    assert_eq!(seen(&mut state), 2);
}

#[test]
fn removing_what_is_not_there_asks_for_nothing() {
    let mut state = State::found(record(1, 1));
    state.remove(FieldName::new("flash").unwrap());
    assert!(!state.wants_commit(true));
    state.remove(name());
    assert!(state.wants_commit(true));
}
