//! Through all sessions of the trail, a page at a time.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use sqlx::{AssertSqlSafe, PgPool, Row as _};
use uuid::Uuid;

use super::{Event, History, broken, event::COLUMNS};
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
}

/// Some sessions.
#[derive(Debug, Default)]
pub(in crate::audit) struct Page {
    pub(in crate::audit) histories: Vec<History>,
    /// Sessions whose first rows are missing: a ref, and the first version that is there.
    pub(in crate::audit) headless: Vec<(SessionRef, u64)>,
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
        }
    }

    /// The next page; `None` after the last.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`](crate::error::ErrorKind::Unavailable) while PostgreSQL does not answer.
    pub(in crate::audit) async fn next(&mut self) -> Result<Option<Page>> {
        let Some(after) = self.after.take() else { return Ok(None) };
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
        let headless = self.headless(later).await?;
        Ok(Some(Page { histories: self.histories(roots).await?, headless }))
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

    /// The events of the sessions that began under `roots`, followed over their renewals.
    async fn histories(&self, roots: Vec<SessionRef>) -> Result<Vec<History>> {
        let mut histories: Vec<History> = roots.iter().map(|_| History::new(self.until)).collect();
        let mut owners: HashMap<SessionRef, usize> = HashMap::new();
        let mut round: Vec<(SessionRef, usize)> =
            roots.into_iter().enumerate().map(|(place, root)| (root, place)).collect();
        while !round.is_empty() {
            owners.extend(round.iter().copied());
            let refs: Vec<&[u8]> =
                round.iter().map(|(reference, _)| reference.as_bytes().as_slice()).collect();
            let mut following = Vec::new();
            let mut after = (Vec::new(), 0_i64, Uuid::nil());
            loop {
                let sql = format!(
                    "SELECT {COLUMNS} FROM cloakroom.session_event
                     WHERE ref = ANY($1) AND (ref, version, event_id) > ($2, $3, $4) AND namespace = $6
                       AND version IS NOT NULL
                     ORDER BY ref, version, event_id LIMIT $5"
                );
                // Nothing of a caller's is in the text.
                let query = sqlx::query(AssertSqlSafe(sql)).bind(&refs).bind(&after.0).bind(after.1);
                let rows = query
                    .bind(after.2)
                    .bind(ROWS)
                    .bind(&*self.namespace)
                    .fetch_all(&self.pool)
                    .await
                    .map_err(broken)?;
                for row in &rows {
                    let event = Event::read(row).map_err(broken)?;
                    let Some(place) = owners.get(&event.reference).copied() else { continue };
                    after = (
                        event.reference.as_bytes().to_vec(),
                        i64::try_from(event.version).unwrap_or(i64::MAX),
                        event.id.as_uuid(),
                    );
                    if let Some(to) = event.successor().filter(|to| !owners.contains_key(to)) {
                        following.push((to, place));
                    }
                    if let Some(history) = histories.get_mut(place) {
                        history.push(event);
                    }
                }
                if i64::try_from(rows.len()).unwrap_or(i64::MAX) < ROWS {
                    break;
                }
            }
            let sql = "SELECT ref, reason, (extract(epoch FROM occurred_at) * 1000)::int8 FROM cloakroom.session_event
                       WHERE ref = ANY($1) AND namespace = $2 AND version IS NULL AND kind = 'ended'";
            let rows =
                sqlx::query_as::<_, (Vec<u8>, Option<String>, i64)>(sql).bind(&refs).bind(&*self.namespace);
            for (reference, reason, at) in rows.fetch_all(&self.pool).await.map_err(broken)? {
                let owner =
                    reference.try_into().ok().and_then(|bytes| owners.get(&SessionRef::from_bytes(bytes)));
                if let Some(history) = owner.and_then(|place| histories.get_mut(*place)) {
                    let at = Timestamp::from_millis(u64::try_from(at).unwrap_or(0));
                    history.ran_out(EndReason::parse(reason.as_deref().unwrap_or("")), at);
                }
            }
            round = following;
        }
        Ok(histories)
    }
}
