use std::sync::Arc;

use super::*;
use crate::{
    audit::RequestContext,
    clock::Timestamp,
    id::{EventId, IdleClass, Token, system_random},
    record::{Field, Operation, Version},
    session::Limits,
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
    if let Some(field) = record.fields.get("n") {
        record.fields.insert(name(), Field { version: Version::new(version), ..field });
    }
    Box::new(record)
}

fn increment(state: &mut State) {
    let replay: Replay = Box::new(|value: Option<&Json>| {
        let value: u64 = value.map_or(0, |value| value.as_str().parse().unwrap());
        Ok(Json::from_text((value + 1).to_string()))
    });
    let target = Target { name: name(), secret: false, policy: None };
    state.update(target, replay, &Limits::default()).unwrap();
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
    Pending {
        job: Job::End(end),
        delta: state.delta.clone(),
        carried: state.counts(),
        wipes: state.wipes,
        ending: None,
        intent: None,
        since: Instant::now(),
        taking: None,
    }
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
    assert!(state.rebase(&[name()], record(10, 4), Policy::Merge).unwrap());
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

fn add(state: &mut State, by: i64) {
    let target = Target { name: name(), secret: false, policy: None };
    state.operate(target, Operation::Increment(by), &Limits::default()).unwrap();
}

#[test]
fn an_operation_made_while_another_is_stored_counts_once() {
    // What comes after the first was sent, what the store answers, what the handler sees then.
    type Step = fn(&mut State);
    let cases: [(Step, u64); 5] = [
        (|state| add(state, 10), 60),
        (increment, 51),
        (
            |state| {
                add(state, 10);
                increment(state);
            },
            61,
        ),
        (
            |state| {
                state.clear();
                add(state, 10);
            },
            10,
        ),
        (
            |state| {
                let target = Target { name: name(), secret: false, policy: None };
                state.set(target, Json::from_text("3"), &Limits::default()).unwrap();
            },
            3,
        ),
    ];
    for (number, (then, expected)) in cases.into_iter().enumerate() {
        let mut state = State::found(record(1, 1));
        add(&mut state, 1);
        let pending = Arc::new(sent(&state));
        state.pending = Some(Arc::clone(&pending));
        then(&mut state);
        // Others had counted, too.
        state.settle(&pending, Some(record(50, 3)));
        assert_eq!(seen(&mut state), expected, "case {number}");
        assert!(state.wants_commit(true));
    }
}

#[test]
fn a_clear_made_while_another_is_stored_is_not_forgotten() {
    let mut state = State::found(record(1, 1));
    state.clear();
    let pending = sent(&state);
    state.clear();
    state.settle(&pending, Some(record(50, 3)));
    assert!(state.wants_commit(true), "what others wrote between the two goes, too");
}
