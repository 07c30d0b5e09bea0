//! Whether what a session's trail lacks is on its way.

use std::collections::{HashMap, HashSet};

use sqlx::{PgPool, Row as _};
use uuid::Uuid;

use super::{Discrepancy, VerifyReport, told::Told};
use crate::{
    audit::{
        AuditQueue, ParsedPayload,
        queue::Waiting,
        trail::{Hole, broken},
    },
    clock::Timestamp,
    error::Error,
    id::{EventId, SessionRef, Shard},
};

/// How many sessions or events are asked for in one statement.
const CHUNK: usize = 1000;

/// A session whose trail lacks something, as it was first looked at.
#[derive(Debug)]
pub(super) struct Suspect {
    pub(super) session: SessionRef,
    /// All its refs that are known.
    pub(super) refs: Vec<SessionRef>,
    pub(super) shard: Shard,
    /// Versions that are missing between others.
    pub(super) gaps: Vec<Hole>,
    /// The trail's last version.
    pub(super) trail: u64,
    /// When that was written.
    pub(super) last_at: Timestamp,
    /// Redis' last event, and its version, which an end does not have.
    pub(super) beyond: Option<(EventId, Option<u64>)>,
}

/// Events that wait, or that came into the trail since it was read.
#[derive(Debug, Default)]
pub(super) struct Pending {
    events: HashSet<EventId>,
    versions: HashMap<SessionRef, HashSet<u64>>,
    told: Told,
}

impl Pending {
    /// Looks for events, and for all versions of some sessions. Redis has been asked before this: what it had
    /// then is either in the queue now or, if a writer was quicker, in the trail after that.
    pub(super) async fn find(
        queue: &AuditQueue,
        pool: &PgPool,
        suspects: &[Suspect],
        heads: impl Iterator<Item = EventId>,
    ) -> Result<Self, Error> {
        let refs: Vec<SessionRef> =
            suspects.iter().flat_map(|suspect| suspect.refs.iter().copied()).collect();
        let wanted = suspects.iter().filter_map(|suspect| suspect.beyond.map(|(event, _)| event));
        let wanted: HashSet<EventId> = wanted.chain(heads).collect();
        let mut pending = Self { told: Told::counted(queue).await?, ..Self::default() };
        if wanted.is_empty() && refs.is_empty() {
            return Ok(pending);
        }
        pending.versions = refs.iter().map(|reference| (*reference, HashSet::new())).collect();
        queue.browse(|shard, entry| pending.add(shard, entry, &wanted)).await?;
        pending.read(pool, &refs, wanted).await.map_err(broken)?;
        pending.told.read(pool, queue.namespace()).await?;
        Ok(pending)
    }

    fn add(&mut self, shard: Shard, entry: &Waiting, wanted: &HashSet<EventId>) {
        let Ok(payload) = serde_json::from_slice::<ParsedPayload<'_>>(&entry.payload) else {
            // What can't be read is nobody's.
            return self.told.add(shard, entry);
        };
        let event = Uuid::try_parse(&payload.id).map(EventId::from);
        self.events.extend(event.ok().filter(|event| wanted.contains(event)));
        let versions =
            SessionRef::parse(&payload.reference).and_then(|session| self.versions.get_mut(&session));
        let version = std::str::from_utf8(&entry.version).ok().and_then(|version| version.parse().ok());
        if let Some((versions, version)) = versions.zip(version) {
            versions.insert(version);
        }
    }

    async fn read(
        &mut self,
        pool: &PgPool,
        refs: &[SessionRef],
        wanted: HashSet<EventId>,
    ) -> Result<(), sqlx::Error> {
        for refs in refs.chunks(CHUNK) {
            let refs: Vec<&[u8]> = refs.iter().map(|reference| reference.as_bytes().as_slice()).collect();
            let sql = "SELECT ref, version FROM cloakroom.session_event WHERE ref = ANY($1) AND version IS NOT NULL";
            for row in sqlx::query(sql).bind(refs).fetch_all(pool).await? {
                let (reference, version): (&[u8], i64) = (row.try_get(0)?, row.try_get(1)?);
                let Ok(reference) = <[u8; 32]>::try_from(reference) else { continue };
                let versions = self.versions.entry(SessionRef::from_bytes(reference)).or_default();
                versions.extend(u64::try_from(version).ok());
            }
        }
        let wanted: Vec<Uuid> = wanted.into_iter().map(|event| event.as_uuid()).collect();
        for wanted in wanted.chunks(CHUNK) {
            let sql = "SELECT event_id FROM cloakroom.session_event WHERE event_id = ANY($1)";
            let found: Vec<Uuid> = sqlx::query_scalar(sql).bind(wanted).fetch_all(pool).await?;
            self.events.extend(found.into_iter().map(EventId::from));
        }
        Ok(())
    }

    pub(super) fn has(&self, event: EventId) -> bool {
        self.events.contains(&event)
    }

    /// Tells what is missing all the same.
    pub(super) fn settle(&mut self, suspect: &Suspect, report: &mut VerifyReport) {
        let of_it = |version: &u64| {
            let mut versions = suspect.refs.iter().filter_map(|session| self.versions.get(session));
            versions.any(|versions| versions.contains(version))
        };
        let missing =
            |from: u64, to: u64| -> Vec<u64> { (from..=to).filter(|version| !of_it(version)).collect() };
        let holes: Vec<(Hole, Vec<u64>)> =
            suspect.gaps.iter().map(|hole| (*hole, missing(hole.from, hole.to))).collect();
        let upto = suspect.beyond.and_then(|(_, version)| version).unwrap_or(suspect.trail);
        let beyond = missing(suspect.trail + 1, upto);
        // An event of which there is neither an entry nor a row, though all versions are there: a fork, or an end.
        let strange = suspect.beyond.is_some_and(|(event, _)| !self.has(event));

        let (mut gaps, mut told) = (Vec::new(), Vec::new());
        let mut excuses = |since, until, missing: &[u64]| {
            let excused = self.told.excuses(suspect.shard, since, until, missing.len() as u64);
            if excused {
                told.extend(ranges(missing));
            }
            excused
        };
        for (hole, missing) in holes.iter().filter(|(_, missing)| !missing.is_empty()) {
            if !excuses(hole.since, hole.until, missing) {
                gaps.push(hole.versions());
            }
        }
        let end = Timestamp::from_millis(u64::MAX);
        let behind = match beyond.is_empty() {
            true => strange,
            false => !excuses(suspect.last_at, end, &beyond),
        };
        if gaps.is_empty() && told.is_empty() && !behind {
            report.waiting += 1;
        }
        if !told.is_empty() {
            report.add_told(suspect.session, told);
        }
        if !gaps.is_empty() {
            report.add(suspect.session, Discrepancy::Gapped(gaps));
        }
        if behind {
            let redis = suspect.beyond.and_then(|(_, version)| version);
            report.add(suspect.session, Discrepancy::Behind { trail: suspect.trail, redis });
        }
    }
}

/// Versions in ascending order, as from and to.
fn ranges(versions: &[u64]) -> Vec<(u64, u64)> {
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for version in versions {
        match ranges.last_mut() {
            Some((_, to)) if *to + 1 == *version => *to = *version,
            _ => ranges.push((*version, *version)),
        }
    }
    ranges
}
