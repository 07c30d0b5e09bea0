//! What the sessions held: I3, and I8.

use std::collections::{HashMap, HashSet};

use super::{Findings, Invariant, Name, Run};
use crate::{
    app::{Act, Fields, View},
    history::Event,
};

pub(super) fn check(run: &Run<'_>, findings: &mut Findings) {
    let mut states = HashMap::new();
    for event in &run.evidence.events {
        for view in event.seen.before.iter().chain(&event.seen.after) {
            let Some(seen) = &view.fields else { continue };
            let name = run.name(&view.reference);
            // A gap in the versions is told elsewhere.
            let Some(expected) = state(run, &mut states, &name, view.version) else { continue };
            if *seen != expected {
                let what = format!(
                    "{name}: {} ({:?}) saw version {} as {seen:?}, and the acknowledged writes make {expected:?}",
                    event.id, event.act, view.version
                );
                findings.add(Invariant::I3NoLostWrite, what);
            }
        }
        if let (Act::ReadSet(key), Some((view, version @ 2..))) = (event.act, event.commit()) {
            let name = run.name(&view.reference);
            let before = state(run, &mut states, &name, version - 1);
            if let Some(before) = before.filter(|before| before.get(key).copied() != event.seen.read) {
                let (id, read, was) = (event.id, event.seen.read, before.get(key));
                let what = format!("{name}: {id} read {read:?} and wrote version {version} over {was:?}");
                findings.add(Invariant::I3NoLostWrite, what);
            }
        }
    }
    principals(run, findings);
}

/// What all commits up to this version make.
fn state(
    run: &Run<'_>,
    states: &mut HashMap<(Name, u64), Option<Fields>>,
    name: &Name,
    version: u64,
) -> Option<Fields> {
    if let Some(state) = states.get(&(name.clone(), version)) {
        return state.clone();
    }
    // In case of a circle, which only a broken store can make.
    states.insert((name.clone(), version), None);
    let event = *run.commits.get(name)?.get(&version)?;
    let before = match (version, carried_from(event)) {
        (1, None) => Some(Fields::new()),
        (1, Some(old)) => {
            let old = run.name(&old.reference);
            let last = run.commits.get(&old).and_then(|commits| commits.keys().next_back().copied());
            last.and_then(|last| state(run, states, &old, last))
        }
        _ => state(run, states, name, version - 1),
    };
    let state = before.map(|before| write(event, before));
    states.insert((name.clone(), version), state.clone());
    state
}

/// The session whose values a sign-in carries over.
fn carried_from(event: &Event) -> Option<&View> {
    event.seen.before.as_ref().filter(|_| event.act == Act::Login)
}

/// What this request does to the values.
fn write(event: &Event, mut fields: Fields) -> Fields {
    match event.act {
        Act::Set(key) | Act::ReadSet(key) => drop(fields.insert(key.to_owned(), event.id)),
        Act::Add => *fields.entry("n".to_owned()).or_default() += 1,
        Act::Look | Act::Renew | Act::Login | Act::Logout => {}
    }
    fields.insert("mark".to_owned(), event.id);
    fields
}

/// Nobody is ever signed in to a session that was there before.
fn principals(run: &Run<'_>, findings: &mut Findings) {
    let mut users: HashMap<Name, &Option<String>> = HashMap::new();
    for event in &run.evidence.events {
        for view in event.seen.before.iter().chain(&event.seen.after) {
            let name = run.name(&view.reference);
            let user = users.entry(name.clone()).or_insert(&view.user);
            if **user != view.user {
                let what = format!("{name}: of {user:?} and, in {}, of {:?}", event.id, view.user);
                findings.add(Invariant::I8Rotation, what);
            }
        }
    }
    let mut known = HashSet::new();
    for event in &run.evidence.events {
        if let Some(token) = &event.issued
            && !known.insert(token)
        {
            findings.add(Invariant::I8Rotation, format!("{} was given a token of before", event.id));
        }
        let signed_in = event.act == Act::Login && event.commit().is_some();
        if signed_in && event.issued.is_none() {
            findings.add(Invariant::I8Rotation, format!("{} signed in without a new token", event.id));
        }
    }
}
