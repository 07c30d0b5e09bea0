//! The audit streams against the answers: I4.

use std::collections::{HashMap, HashSet};

use super::{Findings, Invariant::I4Trail, Run};
use crate::evidence::Entry;

const NONE: &str = "00000000-0000-0000-0000-000000000000";

pub(super) fn check(run: &Run<'_>, findings: &mut Findings) {
    chain(run, findings);
    let mut marked: HashMap<u64, Vec<&Entry>> = HashMap::new();
    for entry in &run.evidence.trail {
        if let Some(mark) = entry.payload.set.get("mark") {
            marked.entry(*mark).or_default().push(entry);
        } else if entry.payload.kind != "ended" {
            findings.add(I4Trail, format!("an entry of nobody's: {entry:?}"));
        }
    }
    for event in &run.evidence.events {
        let entries = marked.remove(&event.id).unwrap_or_default();
        match (event.commit(), &entries[..]) {
            (Some((_, version)), [entry]) if entry.version == version => {}
            (Some((_, version)), entries) => {
                let what = format!("{} made version {version}; its entries: {entries:?}", event.id);
                findings.add(I4Trail, what);
            }
            (None, []) if !event.is_overtaken() => {}
            (None, [_]) if event.is_open() => {}
            (None, entries) => {
                let what = format!("{} came to {:?}; its entries: {entries:?}", event.id, event.seen.outcome);
                findings.add(I4Trail, what);
            }
        }
    }
    for (mark, entries) in marked {
        findings.add(I4Trail, format!("nobody asked for {mark}: {entries:?}"));
    }
    ends(run, findings);
}

/// Each event has one place and at most one successor, and follows another of the version before.
fn chain(run: &Run<'_>, findings: &mut Findings) {
    let mut by_id = HashMap::new();
    for entry in &run.evidence.trail {
        if by_id.insert(&entry.payload.id, entry).is_some() {
            findings.add(I4Trail, format!("twice: {entry:?}"));
        }
    }
    let mut followed = HashSet::new();
    for entry in &run.evidence.trail {
        let before = by_id.get(&entry.predecessor);
        let follows = match (before, entry.version) {
            (None, 1) => entry.predecessor == NONE,
            // A sign-in names the end of the session that it replaces.
            (Some(before), 1) => before.payload.kind == "ended" && entry.payload.kind == "signed_in",
            (Some(before), version) => before.version + 1 == version && before.payload.kind != "ended",
            (None, _) => false,
        };
        if !follows {
            findings.add(I4Trail, format!("a gap before {entry:?}"));
        }
        if entry.predecessor != NONE && !followed.insert(&entry.predecessor) {
            findings.add(I4Trail, format!("a fork before {entry:?}"));
        }
    }
}

/// One end for each session that was ended, and none for another.
fn ends(run: &Run<'_>, findings: &mut Findings) {
    let mut ended = HashMap::new();
    for entry in run.evidence.trail.iter().filter(|entry| entry.payload.kind == "ended") {
        *ended.entry(run.name(&entry.payload.reference)).or_insert(0) += 1;
    }
    for (name, times) in ended.iter().filter(|(_, times)| **times > 1) {
        findings.add(I4Trail, format!("{name} ended {times} times"));
    }
    for event in &run.evidence.events {
        if let Some(view) = event.ended() {
            let name = run.name(&view.reference);
            if !ended.contains_key(&name) {
                findings.add(I4Trail, format!("{name}: {} ended it, and no entry says so", event.id));
            }
        }
    }
}
