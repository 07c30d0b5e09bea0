//! The order of commits: I2, and that it agrees with real time.

use std::collections::BTreeMap;

use super::{Findings, Invariant, Name, Run};

pub(super) fn check(run: &Run<'_>, findings: &mut Findings) {
    for (name, commits) in &run.commits {
        let gapless = commits.keys().copied().eq(1..=commits.len() as u64);
        if !gapless {
            let versions: Vec<_> = commits.keys().collect();
            findings.add(Invariant::I2Versions, format!("{name}: the versions are {versions:?}"));
        }
    }
    real_time(run, findings);
}

/// Whoever asks after an answer sees at least the version that the answer told.
fn real_time(run: &Run<'_>, findings: &mut Findings) {
    // Per session: (called, version seen or None, returned, version told).
    let mut told: BTreeMap<Name, Vec<(u64, u64)>> = BTreeMap::new();
    for event in &run.evidence.events {
        let looked = event.seen.before.as_ref().map(|view| (view, view.version));
        for (view, version) in looked.into_iter().chain(event.commit()) {
            told.entry(run.name(&view.reference)).or_default().push((event.returned, version));
        }
    }
    for event in &run.evidence.events {
        let Some(view) = &event.seen.before else { continue };
        let name = run.name(&view.reference);
        let before = told[&name].iter().filter(|(returned, _)| *returned < event.called);
        if let Some(newest) =
            before.map(|(_, version)| *version).max().filter(|newest| view.version < *newest)
        {
            let what = format!("{name}: {} saw version {} after {newest} was told", event.id, view.version);
            findings.add(Invariant::Linear, what);
        }
        if let Some((after, version)) = event.commit()
            && run.name(&after.reference) == name
            && version <= view.version
        {
            let what = format!("{name}: {} made version {version} of {}", event.id, view.version);
            findings.add(Invariant::I2Versions, what);
        }
    }
}
