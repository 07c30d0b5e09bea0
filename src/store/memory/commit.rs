//! A commit, as `store/redis/scripts/commit.lua` and `merge.lua` make it.

use std::collections::BTreeMap;

use super::{Aftermath, State};
use crate::{
    audit::Payload,
    clock::Timestamp,
    record::{Authentication, Base, EndReason, Ended, Image, Record, Relation, Version, merge},
    store::{Commit, Committed, Policy},
};

impl State {
    pub(super) fn commit(&mut self, commit: &Commit, now: Timestamp, audit: bool) -> Committed {
        let reference = commit.at.reference;
        if let Some(end) = self.overdue(commit.at, now) {
            return Committed::Gone(Ended { reason: end.reason, at: None, device: None });
        }
        if self.alive(&reference, now).is_none() {
            if let Some(renewal) = &commit.renewal
                && let Some(live) = self.alive(&renewal.to.reference, now)
                && let Some(version) = live.version_of(commit.event)
            {
                return committed(version, now, Some(live.at(now)));
            }
            return match self.what_became(&reference, now) {
                Some(Aftermath::Moved { until, .. }) if now >= until => {
                    Committed::Gone(Ended { reason: EndReason::Replayed, at: Some(until), device: None })
                }
                Some(Aftermath::Moved { to, .. }) => Committed::Moved(to),
                Some(Aftermath::Ended { ended, .. }) => Committed::Gone(ended),
                None => Committed::Gone(Ended::UNKNOWN),
            };
        }
        let Some(live) = self.sessions.get(&reference) else {
            return Committed::Gone(Ended::UNKNOWN);
        };
        let (current, fields) = (live.record.base, &live.record.fields);
        let conflict = |keys| Committed::Conflict { keys, current: live.at(now) };
        let mut keys = Vec::new();
        let relation = live.history.relate(current, commit.base, commit.event);
        match relation {
            Relation::Repeat => {
                let version = live.version_of(commit.event).unwrap_or(current.version);
                return committed(version, now, Some(live.at(now)));
            }
            Relation::Current => {}
            Relation::Fork => return conflict(Vec::new()),
            Relation::TooFar => {
                return Committed::Behind { current: live.at(now), never: live.history.is_complete() };
            }
            Relation::Behind => match commit.policy {
                Policy::Strict => return conflict(Vec::new()),
                Policy::LastWriteWins => {}
                Policy::Merge => {
                    keys = merge::conflicts(fields, &commit.delta, commit.base.version);
                }
            },
        }
        keys.extend(merge::not_applicable(fields, &commit.delta));
        if !keys.is_empty() {
            return conflict(keys);
        }
        if let Some(renewal) = &commit.renewal {
            let taken = self.sessions.contains_key(&renewal.to.reference)
                || self.what_became(&renewal.to.reference, now).is_some();
            if taken {
                return Committed::Taken;
            }
        }
        let version = current.version.next();
        // The trail tells what the operations came to.
        let told = audit.then(|| Commit { delta: merge::resolved(fields, &commit.delta), ..commit.clone() });
        let payload = Payload::from(told.as_ref().unwrap_or(commit));
        self.append(audit, commit.at.shard, now, version, current.head, &payload);
        let Some(live) = self.sessions.get_mut(&reference) else {
            return Committed::Gone(Ended::UNKNOWN);
        };
        merge::apply(&mut live.record.fields, &commit.delta, version);
        live.record.base = Base { version, head: commit.event };
        live.history.push(commit.event, now);
        if commit.is_activity() {
            live.expires_at = now.plus(commit.idle);
            live.idle = commit.idle;
        }
        if let Some(anew) = commit.renewal.as_ref().and_then(|renewal| renewal.anew.as_ref()) {
            live.record.user = Some(anew.sign_in.user.clone());
            live.record.authentication =
                Some(Authentication { at: now, method: anew.sign_in.method.clone() });
            live.record.deadline = now.plus(anew.absolute);
        }
        let merged = (relation == Relation::Behind).then(|| live.at(now));
        if let Some(renewal) = &commit.renewal
            && let Some(mut live) = self.sessions.remove(&reference)
        {
            live.record.address = renewal.to;
            let device = live.record.device.clone();
            live.predecessor = renewal.anew.is_none().then_some(reference);
            self.sessions.insert(renewal.to.reference, live);
            let aftermath = match renewal.anew {
                None => Aftermath::Moved { to: renewal.to, until: now.plus(renewal.grace) },
                Some(_) => Aftermath::Ended {
                    ended: Ended { reason: EndReason::Replaced, at: Some(now), device },
                    by: commit.event,
                    fields: BTreeMap::new(),
                },
            };
            self.aftermath.insert(reference, (now.plus(renewal.remember), aftermath));
        }
        committed(version, now, merged)
    }
}

fn committed(version: Version, at: Timestamp, merged: Option<Box<Record>>) -> Committed {
    Committed::Committed { version, at, image: Image::default(), merged }
}
