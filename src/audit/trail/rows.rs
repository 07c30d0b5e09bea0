//! The rows of a page of sessions.

use std::collections::HashMap;

use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{Event, History, Walk, broken, event::COLUMNS, walk::Start};
use crate::{clock::Timestamp, error::Result, id::SessionRef, record::EndReason};

/// How many rows one statement answers at most.
const ROWS: i64 = 2000;

impl Walk {
    /// The events of these sessions, followed over their renewals.
    pub(super) async fn histories(&self, starts: &[Start], count: &mut u64) -> Result<Vec<History>> {
        let mut histories = Vec::with_capacity(starts.len());
        let mut owners: HashMap<SessionRef, usize> = HashMap::new();
        // From which version on.
        let mut round: Vec<(SessionRef, i64)> = Vec::new();
        for (place, start) in starts.iter().enumerate() {
            if let Some(snapshot) = &start.snapshot {
                let version = i64::try_from(snapshot.state.version).unwrap_or(i64::MAX);
                for reference in &snapshot.refs {
                    // Also one that was given up: an end in a branch that was lost stands there.
                    if owners.insert(*reference, place).is_none() {
                        round.push((*reference, version));
                    }
                }
                histories.push(History::since(snapshot.clone(), self.until).checking(start.check.clone()));
            } else {
                owners.insert(start.root, place);
                round.push((start.root, 0));
                histories.push(History::new(self.until).checking(start.check.clone()));
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
            let refs = round.iter().map(|(reference, _)| *reference).collect();
            for (reference, reason, at) in self.ends_without_version(refs).await? {
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
        let these = "(ref, version, event_id) > ($2, $3, $4) AND namespace = $6 AND version IS NOT NULL
                     AND ($7::int8 IS NULL OR ingested_at <= timestamptz 'epoch' + $7 * interval '1 microsecond')
                     ORDER BY ref, version, event_id LIMIT $5";
        let sql = if rows.versions.is_some() {
            // Each ref by itself: PostgreSQL would rather read all of its rows than look for the last ones.
            format!(
                "SELECT {COLUMNS} FROM unnest($1::bytea[], $8::int8[]) AS known (of, seen) CROSS JOIN LATERAL (
                     SELECT * FROM cloakroom.session_event WHERE ref = of AND version > seen AND {these}
                 ) AS event ORDER BY ref, version, event_id LIMIT $5"
            )
        } else {
            format!(
                "SELECT {COLUMNS} FROM cloakroom.session_event
                 WHERE ref = ANY($1) AND $8::int8[] IS NULL AND {these}"
            )
        };
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
