//! The sweep, in memory.

use std::time::Duration;

use super::{Aftermath, State};
use crate::{
    audit::Payload,
    clock::Timestamp,
    id::{Address, EventId},
    record::{EndReason, Ended, Version},
    store::{End, Finished},
};

impl State {
    /// Ends what ran out, what is past its deadline and what is below the epoch.
    pub(super) fn sweep(&mut self, remember: Duration, now: Timestamp, audit: bool) -> usize {
        let mut all: Vec<_> =
            self.sessions.values().map(|live| (live.expires_at, live.record.address)).collect();
        // In the order of their time, as Redis does it.
        all.sort_unstable_by_key(|(expires_at, at)| (*expires_at, at.reference));
        let mut ended = 0;
        for (expires_at, at) in all {
            if expires_at <= now {
                self.expire(at, remember, now, audit);
                ended += 1;
            } else if let Some(overdue) = self.overdue(at, now)
                && let Finished::Ended { .. } = self.end(&End { remember, ..overdue }, now, audit)
            {
                ended += 1;
            }
        }
        ended
    }

    /// What Redis has dropped by itself leaves neither version nor last event; nor does it here.
    fn expire(&mut self, at: Address, remember: Duration, now: Timestamp, audit: bool) {
        let Some(live) = self.sessions.remove(&at.reference) else { return };
        let (moment, reason) = if live.expires_at < live.record.deadline {
            (live.expires_at, EndReason::Idle)
        } else {
            (live.record.deadline, EndReason::Absolute)
        };
        let end =
            End { event: EventId::of_expiry(&at.reference), remember, ..End::overdue(&live.record, reason) };
        self.append(audit, at.shard, now, Version::default(), EventId::NONE, &Payload::from(&end));
        let ended = Ended { reason, at: Some(moment), device: None };
        let aftermath = Aftermath::Ended { ended, by: end.event, fields: Default::default() };
        self.aftermath.insert(at.reference, (now.plus(remember), aftermath));
    }
}
