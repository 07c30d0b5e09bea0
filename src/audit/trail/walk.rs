//! Through all sessions of the trail, a page at a time.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use sqlx::{AssertSqlSafe, PgPool, Row as _};
use uuid::Uuid;

use super::{Event, History, Snapshot, broken, event::COLUMNS, snapshot::by_ref};
use crate::{
    audit::postgres::clean_user, clock::Timestamp, error::Result, id::SessionRef, record::EndReason,
};

/// How many rows one statement answers at most.
const ROWS: i64 = 2000;

/// Reads pages of sessions, in the order of the refs under which they began.
#[derive(Debug)]
pub(in crate::audit) struct Walk {
    pool: PgPool,
    namespace: Arc<str>,
    user: Option<String>,
    until: Timestamp,
    sessions: i64,
    after: Option<Vec<u8>>,
    /// Where the last page began.
    before: Option<Vec<u8>>,
    snapshots: Use,
    /// Rows that were stored later are not read, µs.
    settled_us: Option<i64>,
}

/// What snapshots are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    /// Sessions whose first rows are missing together with their month.
    Beginnings,
    /// All that have one.
    All,
}

/// Some sessions.
#[derive(Debug, Default)]
pub(in crate::audit) struct Page {
    pub(in crate::audit) histories: Vec<History>,
    /// Sessions whose first rows are missing: a ref, and the first version that is there.
    pub(in crate::audit) headless: Vec<(SessionRef, u64)>,
    /// How many rows were read for these.
    pub(in crate::audit) rows: u64,
    /// Of how many sessions a snapshot stood for their first rows.
    pub(in crate::audit) since_snapshots: u64,
}

/// Where to begin to read a session.
#[derive(Debug)]
struct Start {
    root: SessionRef,
    snapshot: Option<Snapshot>,
}

impl Walk {
    /// Values that were written after `until` are left out of the states.
    pub(in crate::audit) fn new(
        pool: PgPool,
        namespace: &str,
        user: Option<&str>,
        until: Timestamp,
        sessions: u16,
    ) -> Self {
        // As the writer stored it.
        let user = user.map(|user| clean_user(user).into_owned());
        Self {
            pool,
            namespace: namespace.into(),
            user,
            until,
            sessions: i64::from(sessions.max(1)),
            after: Some(Vec::new()),
            before: None,
            snapshots: Use::Beginnings,
            settled_us: None,
        }
    }

    /// Reads of each session only what is younger than its snapshot, whatever became of the rows before. Without this,
    /// snapshots are used for sessions that began in a month that was dropped: in any other, a row that is missing
    /// was deleted.
    pub(in crate::audit) fn since_snapshots(mut self) -> Self {
        self.snapshots = Use::All;
        self
    }

    /// Reads only rows that were stored by this moment of PostgreSQL's clock, µs.
    pub(in crate::audit) fn settled(mut self, micros: i64) -> Self {
        self.settled_us = Some(micros);
        self
    }

    /// Goes back to the beginning of the last page.
    pub(in crate::audit) fn again(&mut self) {
        self.after = self.before.take();
    }

    /// The next page; `None` after the last.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`](crate::error::ErrorKind::Unavailable) while PostgreSQL does not answer.
    pub(in crate::audit) async fn next(&mut self) -> Result<Option<Page>> {
        let Some(after) = self.after.take() else { return Ok(None) };
        self.before = Some(after.clone());
        let sql = "SELECT DISTINCT ON (ref) ref, version, prev_event_id FROM cloakroom.session_event
                   WHERE ref > $1 AND ($2::text IS NULL OR user_id = $2) AND namespace = $4 AND version IS NOT NULL
                   ORDER BY ref, version LIMIT $3";
        let query = sqlx::query(sql)
            .bind(&after)
            .bind(self.user.as_deref())
            .bind(self.sessions)
            .bind(&*self.namespace);
        let rows = query.fetch_all(&self.pool).await.map_err(broken)?;
        let (mut roots, mut later) = (Vec::new(), Vec::new());
        for row in &rows {
            let reference: Vec<u8> = row.try_get("ref").map_err(broken)?;
            let version: i64 = row.try_get::<Option<i64>, _>("version").map_err(broken)?.unwrap_or(0);
            let predecessor: Option<Uuid> = row.try_get("prev_event_id").map_err(broken)?;
            self.after = Some(reference.clone());
            let Ok(bytes) = <[u8; 32]>::try_from(reference) else { continue };
            let reference = SessionRef::from_bytes(bytes);
            if version == 1 {
                roots.push(reference);
            } else {
                later.push((reference, u64::try_from(version).unwrap_or(0), predecessor.unwrap_or_default()));
            }
        }
        if i64::try_from(rows.len()).unwrap_or(i64::MAX) < self.sessions {
            self.after = None;
        }
        let mut headless = self.headless(later).await?;
        let mut wanted: Vec<SessionRef> = headless.iter().map(|(reference, _)| *reference).collect();
        if self.snapshots == Use::All {
            wanted.extend(&roots);
        }
        let mut found = Snapshot::find(&self.pool, &self.namespace, &wanted, self.until).await?;
        if self.snapshots == Use::Beginnings {
            self.keep_those_past_keeping(&mut found).await?;
        }
        let mut found = by_ref(found);
        let mut take = |reference: &SessionRef| {
            let snapshot = found.get(reference).cloned()?;
            found.retain(|_, other| other.root != snapshot.root);
            Some(snapshot)
        };
        let mut starts: Vec<Start> =
            roots.into_iter().map(|root| Start { root, snapshot: take(&root) }).collect();
        let begun = starts.len();
        headless.retain(|(reference, _)| match take(reference) {
            Some(snapshot) => {
                starts.push(Start { root: *reference, snapshot: Some(snapshot) });
                false
            }
            None => true,
        });
        let mut page = Page { headless, ..Page::default() };
        page.histories = self.histories(&starts, &mut page.rows).await?;
        // What does not follow its snapshot is read from the beginning, if that is there.
        let astray = |place: &usize| page.histories.get(*place).is_some_and(|history| !history.is_anchored());
        let astray: Vec<usize> = (0..starts.len()).filter(astray).collect();
        let again: Vec<Start> = astray
            .iter()
            .filter(|place| **place < begun)
            .filter_map(|place| Some(Start { root: starts.get(*place)?.root, snapshot: None }))
            .collect();
        let whole = self.histories(&again, &mut page.rows).await?;
        for place in astray.iter().rev() {
            page.histories.remove(*place);
        }
        let lost = astray.iter().filter(|place| **place >= begun).filter_map(|place| starts.get(*place));
        page.headless.extend(lost.map(|start| (start.root, 0)));
        let since = page.histories.iter().filter(|history| history.is_since_snapshot()).count();
        page.since_snapshots = u64::try_from(since).unwrap_or(0);
        page.histories.extend(whole);
        Ok(Some(page))
    }

    /// Those that began in a month that is not there any more.
    async fn keep_those_past_keeping(&self, snapshots: &mut Vec<Snapshot>) -> Result<()> {
        let began = snapshots.iter().map(|snapshot| snapshot.state.created_at.as_millis());
        let began: Vec<i64> = began.map(|began| i64::try_from(began).unwrap_or(i64::MAX)).collect();
        let sql = "SELECT to_regclass('cloakroom.session_event_' || to_char(
                       (timestamptz 'epoch' + began.ms * interval '1 millisecond') AT TIME ZONE 'UTC', 'YYYY_MM')) IS NULL
                   FROM unnest($1::int8[]) WITH ORDINALITY AS began (ms, place) ORDER BY began.place";
        let gone: Vec<bool> =
            sqlx::query_scalar(sql).bind(began).fetch_all(&self.pool).await.map_err(broken)?;
        let mut gone = gone.into_iter();
        snapshots.retain(|_| gone.next().unwrap_or(false));
        Ok(())
    }

    /// Those that follow an event which is not there. The others are found from where they began.
    async fn headless(&self, later: Vec<(SessionRef, u64, Uuid)>) -> Result<Vec<(SessionRef, u64)>> {
        if later.is_empty() {
            return Ok(Vec::new());
        }
        let before: Vec<Uuid> = later.iter().map(|(_, _, before)| *before).collect();
        let sql = "SELECT event_id FROM cloakroom.session_event WHERE event_id = ANY($1)";
        let found: Vec<Uuid> =
            sqlx::query_scalar(sql).bind(before).fetch_all(&self.pool).await.map_err(broken)?;
        let found: HashSet<Uuid> = found.into_iter().collect();
        let lost = later.into_iter().filter(|(_, _, before)| !found.contains(before));
        Ok(lost.map(|(reference, version, _)| (reference, version)).collect())
    }

    /// The events of these sessions, followed over their renewals.
    async fn histories(&self, starts: &[Start], count: &mut u64) -> Result<Vec<History>> {
        let mut histories = Vec::with_capacity(starts.len());
        let mut owners: HashMap<SessionRef, usize> = HashMap::new();
        // From which version on; and refs whose rows stand in a snapshot.
        let (mut round, mut known): (Vec<(SessionRef, i64)>, Vec<SessionRef>) = Default::default();
        for (place, start) in starts.iter().enumerate() {
            if let Some(snapshot) = &start.snapshot {
                owners.extend(snapshot.refs.iter().map(|reference| (*reference, place)));
                known.extend(&snapshot.refs);
                let version = i64::try_from(snapshot.state.version).unwrap_or(i64::MAX);
                round.push((snapshot.state.at.reference, version));
                histories.push(History::since(snapshot.clone(), self.until));
            } else {
                owners.insert(start.root, place);
                round.push((start.root, 0));
                histories.push(History::new(self.until));
            }
        }
        while !round.is_empty() {
            let mut following = Vec::new();
            let (since, whole): (Vec<_>, Vec<_>) = round.iter().partition(|(_, version)| *version > 0);
            for (refs, versions) in [(&whole, None), (&since, Some(()))] {
                let versions =
                    versions.map(|()| refs.iter().map(|(_, version)| *version).collect::<Vec<_>>());
                let refs: Vec<SessionRef> = refs.iter().map(|(reference, _)| *reference).collect();
                let mut rows = Rows {
                    refs: &refs,
                    versions,
                    after: (Vec::new(), 0, Uuid::nil()),
                    done: refs.is_empty(),
                };
                while !rows.done {
                    for event in self.events(&mut rows).await? {
                        *count += 1;
                        let Some(place) = owners.get(&event.reference).copied() else { continue };
                        if let Some(to) = event.successor().filter(|to| !owners.contains_key(to)) {
                            owners.insert(to, place);
                            following.push((to, 0));
                        }
                        if let Some(history) = histories.get_mut(place) {
                            history.push(event);
                        }
                    }
                }
            }
            let refs = round.iter().map(|(reference, _)| *reference).chain(std::mem::take(&mut known));
            for (reference, reason, at) in self.ends_without_version(refs.collect()).await? {
                if let Some(history) = owners.get(&reference).and_then(|place| histories.get_mut(*place)) {
                    history.ran_out(reason, at);
                }
            }
            round = following;
        }
        Ok(histories)
    }

    /// Some rows more.
    async fn events(&self, rows: &mut Rows<'_>) -> Result<Vec<Event>> {
        let from = if rows.versions.is_some() {
            "unnest($1::bytea[], $8::int8[]) AS known (ref, seen) JOIN cloakroom.session_event USING (ref)
             WHERE version > seen"
        } else {
            "cloakroom.session_event WHERE ref = ANY($1) AND $8::int8[] IS NULL"
        };
        let sql = format!(
            "SELECT {COLUMNS} FROM {from} AND (ref, version, event_id) > ($2, $3, $4) AND namespace = $6
                 AND version IS NOT NULL
                 AND ($7::int8 IS NULL OR ingested_at <= timestamptz 'epoch' + $7 * interval '1 microsecond')
             ORDER BY ref, version, event_id LIMIT $5"
        );
        let refs: Vec<&[u8]> = rows.refs.iter().map(|reference| reference.as_bytes().as_slice()).collect();
        // Nothing of a caller's is in the text.
        let query = sqlx::query(AssertSqlSafe(sql)).bind(refs).bind(&rows.after.0).bind(rows.after.1);
        let query = query.bind(rows.after.2).bind(ROWS).bind(&*self.namespace).bind(self.settled_us);
        let found = query.bind(rows.versions.as_deref()).fetch_all(&self.pool).await.map_err(broken)?;
        let events: Vec<Event> = found.iter().map(Event::read).collect::<Result<_, _>>().map_err(broken)?;
        if let Some(last) = events.last() {
            let version = i64::try_from(last.version).unwrap_or(i64::MAX);
            rows.after = (last.reference.as_bytes().to_vec(), version, last.id.as_uuid());
        }
        rows.done = i64::try_from(events.len()).unwrap_or(i64::MAX) < ROWS;
        Ok(events)
    }

    /// What a sweep told of sessions that had run out.
    async fn ends_without_version(
        &self,
        refs: Vec<SessionRef>,
    ) -> Result<Vec<(SessionRef, EndReason, Timestamp)>> {
        let sql =
            "SELECT ref, reason, (extract(epoch FROM occurred_at) * 1000)::int8 FROM cloakroom.session_event
                   WHERE ref = ANY($1) AND namespace = $2 AND version IS NULL AND kind = 'ended'";
        let refs: Vec<&[u8]> = refs.iter().map(|reference| reference.as_bytes().as_slice()).collect();
        let rows = sqlx::query_as::<_, (Vec<u8>, Option<String>, i64)>(sql).bind(refs).bind(&*self.namespace);
        let rows = rows.fetch_all(&self.pool).await.map_err(broken)?;
        let read = |(reference, reason, at): (Vec<u8>, Option<String>, i64)| {
            let at = Timestamp::from_millis(u64::try_from(at).unwrap_or(0));
            let reference = SessionRef::from_bytes(reference.try_into().ok()?);
            Some((reference, EndReason::parse(reason.as_deref().unwrap_or("")), at))
        };
        Ok(rows.into_iter().filter_map(read).collect())
    }
}

/// Rows that are read piece by piece.
struct Rows<'a> {
    refs: &'a [SessionRef],
    /// What is known of each already.
    versions: Option<Vec<i64>>,
    after: (Vec<u8>, i64, Uuid),
    done: bool,
}
