//! Ends, tokens and lifetimes: I1, I5, I7.

use std::collections::{HashMap, HashSet};

use super::{Findings, Invariant, Name, Run};
use crate::evidence::Lifetime;

pub(super) fn check(run: &Run<'_>, findings: &mut Findings) {
    let mut ends: HashMap<Name, u64> = HashMap::new();
    for event in &run.evidence.events {
        if let Some(view) = event.ended() {
            let end = ends.entry(run.name(&view.reference)).or_insert(event.returned);
            *end = event.returned.min(*end);
        }
    }
    let overdue = run.evidence.overdue.iter().map(|(reference, at)| (run.name(reference), *at)).collect();
    nothing_lives_after(run, &ends, Invariant::I1EndIsFinal, findings);
    nothing_lives_after(run, &overdue, Invariant::I7Lifetime, findings);
    tokens(run, &ends, &overdue, findings);
    for lifetime in &run.evidence.lifetimes {
        if lifetime.ttl <= lifetime.above || lifetime.ttl > lifetime.most {
            let Lifetime { of, ttl, above, most } = lifetime;
            let what = format!("{of}: a TTL of {ttl} ms, not above {above} or not at most {most}");
            findings.add(Invariant::I7Lifetime, what);
        }
    }
}

/// No request that began after it sees the session, and none that saved after it changed it.
fn nothing_lives_after(run: &Run<'_>, ends: &HashMap<Name, u64>, of: Invariant, findings: &mut Findings) {
    for event in &run.evidence.events {
        let looked = event.seen.before.as_ref().map(|view| (view, event.called));
        let wrote = event.commit().map(|(view, _)| (view, event.seen.saving));
        for (view, at) in looked.into_iter().chain(wrote) {
            let name = run.name(&view.reference);
            if ends.get(&name).is_some_and(|end| *end < at) {
                findings.add(of, format!("{name} was over, and lived in {} ({:?})", event.id, event.act));
            }
        }
    }
}

/// A live session is stored under its newest token; an ended one under none; and there are no others.
fn tokens(run: &Run<'_>, ends: &HashMap<Name, u64>, overdue: &HashMap<Name, u64>, findings: &mut Findings) {
    let ended = run.evidence.trail.iter().filter(|entry| entry.payload.kind == "ended");
    let ended: HashSet<Name> = ended.map(|entry| run.name(&entry.payload.reference)).collect();
    let newest = run.newest();
    let mut named = HashSet::new();
    for (name, reference) in &newest {
        named.insert(crate::evidence::key_hash(reference));
        match run.is_stored(reference) {
            true if ends.contains_key(name) || ended.contains(name) => {
                findings.add(Invariant::I1EndIsFinal, format!("{name} is over, and stored"));
            }
            false if !ends.contains_key(name) && !ended.contains(name) && !overdue.contains_key(name) => {
                findings.add(Invariant::I5OneToken, format!("{name} is not stored under its newest token"));
            }
            _ => {}
        }
    }
    for hash in run.evidence.stored.iter().filter(|hash| !named.contains(*hash)) {
        findings.add(Invariant::I5OneToken, format!("a session is stored under {hash}, no current token"));
    }
}
