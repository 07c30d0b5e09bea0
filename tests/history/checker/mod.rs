//! Whether what everybody saw can have happened, if the library keeps its word.
//!
//! Each acknowledged commit tells its version, so a session is a register with a known order of writes: it is
//! enough to see that the versions have no gap and no double, that each state that anybody saw is what the
//! writes up to its version make, and that the order agrees with real time. I1 to I8 are those of the
//! project's security notes.

mod ends;
mod states;
mod trail;
mod versions;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    fmt,
};

use crate::{
    app::{Act, Outcome, View},
    evidence::{Evidence, key_hash},
    history::Event,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Invariant {
    /// What was seen later is not older.
    Linear,
    /// Nothing lives after an acknowledged end.
    I1EndIsFinal,
    /// Versions are 1, 2, 3 …
    I2Versions,
    /// No acknowledged write is lost.
    I3NoLostWrite,
    /// An audit entry for each commit, and no other, in one chain.
    I4Trail,
    /// Of all tokens of a session the newest is current, and only that one.
    I5OneToken,
    // I6, the user index holds exactly the live sessions: there is no such index yet. Its check belongs into
    // `ends.rs`, beside `tokens`, with a list of the index' members in `Evidence`.
    /// No TTL above the idle timeout, none left out, nothing answers past the deadline.
    I7Lifetime,
    /// A user comes with a new session only.
    I8Rotation,
}

pub struct Violation {
    pub of: Invariant,
    pub what: String,
}

impl fmt::Debug for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n  {:?}: {}", self.of, self.what)
    }
}

/// All that is wrong.
pub fn check(evidence: &Evidence) -> Vec<Violation> {
    let mut findings = Findings::default();
    let run = Run::of(evidence, &mut findings);
    versions::check(&run, &mut findings);
    states::check(&run, &mut findings);
    trail::check(&run, &mut findings);
    ends::check(&run, &mut findings);
    findings.0
}

#[derive(Default)]
struct Findings(Vec<Violation>);

impl Findings {
    fn add(&mut self, of: Invariant, what: impl Into<String>) {
        self.0.push(Violation { of, what: what.into() });
    }
}

/// A session by its first ref: renewals give it others.
type Name = String;

/// The evidence, sorted by sessions.
struct Run<'a> {
    evidence: &'a Evidence,
    /// The ref before, by each ref that a renewal made.
    before: HashMap<String, String>,
    /// Which request made which version.
    commits: BTreeMap<Name, BTreeMap<u64, &'a Event>>,
    by_id: HashMap<u64, &'a Event>,
}

impl<'a> Run<'a> {
    fn of(evidence: &'a Evidence, findings: &mut Findings) -> Self {
        let events = &evidence.events;
        let mut run = Self {
            evidence,
            before: HashMap::new(),
            commits: BTreeMap::new(),
            by_id: events.iter().map(|event| (event.id, event)).collect(),
        };
        for event in events.iter().filter(|event| event.act == Act::Renew) {
            if let (Some(old), Some(token)) = (&event.seen.before, &event.issued) {
                run.before.insert(crate::app::reference(token), old.reference.clone());
            }
        }
        for entry in evidence.trail.iter().filter(|entry| entry.payload.kind == "renewed") {
            let to = entry.payload.related.clone().expect("a renewal names its new ref");
            run.before.insert(to, entry.payload.reference.clone());
        }
        let mut made = BTreeSet::new();
        for event in events {
            if let Some((view, version)) = event.commit() {
                made.insert((run.name(&view.reference), version, event.id));
            }
        }
        // What nobody got an answer to may have happened: then the trail tells.
        for entry in &evidence.trail {
            let event = entry.payload.set.get("mark").and_then(|id| run.by_id.get(id));
            if let Some(event) = event.filter(|event| event.is_open()) {
                made.insert((run.name(&entry.payload.reference), entry.version, event.id));
            }
        }
        for (name, version, id) in made {
            let event = run.by_id[&id];
            let double = run.commits.entry(name.clone()).or_default().insert(version, event);
            if let Some(other) = double {
                let what = format!("{name}: version {version} was made by {} and by {id}", other.id);
                findings.add(Invariant::I2Versions, what);
            }
        }
        run
    }

    fn name(&self, reference: &str) -> Name {
        let (mut name, mut seen) = (reference, HashSet::new());
        while let Some(before) = self.before.get(name).filter(|before| seen.insert(before.as_str())) {
            name = before;
        }
        name.to_owned()
    }

    /// The ref that no renewal leads away from, of each session that anybody knows.
    fn newest(&self) -> HashMap<Name, String> {
        let left: HashSet<_> = self.before.values().collect();
        let issued = self.evidence.events.iter().filter_map(|event| event.issued.as_deref());
        let mut known: HashSet<String> = issued.map(crate::app::reference).collect();
        known.extend(self.evidence.trail.iter().map(|entry| entry.payload.reference.clone()));
        known.extend(self.before.keys().cloned());
        known.retain(|reference| !left.contains(reference));
        known.into_iter().map(|reference| (self.name(&reference), reference)).collect()
    }

    fn is_stored(&self, reference: &str) -> bool {
        self.evidence.stored.contains(&key_hash(reference))
    }
}

impl Event {
    /// The session and the version that this request made, if it was told so.
    fn commit(&self) -> Option<(&View, u64)> {
        match (&self.seen.after, self.seen.outcome) {
            (Some(view), Outcome::Saved(Some(version))) if !self.is_overtaken() => Some((view, version)),
            _ => None,
        }
    }

    /// A reply was lost, and by the time of the second one others had committed behind it: it tells their
    /// version. The trail knows this one's.
    fn is_overtaken(&self) -> bool {
        let marked =
            |view: &View| view.fields.as_ref().and_then(|fields| fields.get("mark")) == Some(&self.id);
        self.seen.after.as_ref().is_some_and(|view| !marked(view))
    }

    /// Whether only the trail tells if it committed, or which version.
    fn is_open(&self) -> bool {
        self.seen.outcome == Outcome::Unknown || self.is_overtaken()
    }

    /// The session that this request certainly ended.
    fn ended(&self) -> Option<&View> {
        match (self.act, self.seen.outcome) {
            (Act::Logout | Act::Login, Outcome::Saved(_)) => self.seen.before.as_ref(),
            _ => None,
        }
    }
}
