//! Which snapshot stands for a session's first rows.

use std::{collections::HashSet, sync::Arc};

use sqlx::{AssertSqlSafe, PgPool};

use super::{
    Snapshot, broken,
    snapshot::{COLUMNS, Signed, SnapshotRow},
};
use crate::{audit::seal::SealPublicKey, clock::Timestamp, error::Result, id::SessionRef};

/// Finds the newest snapshot of a session that nothing speaks against.
#[derive(Debug)]
pub(super) struct Finder {
    pub(super) pool: PgPool,
    pub(super) namespace: Arc<str>,
    pub(super) until: Timestamp,
    /// Whose signature one must have; `None`: any, or none.
    pub(super) signed_by: Option<Arc<[SealPublicKey]>>,
    /// Only those of sessions that began in a month that is not there any more.
    pub(super) past_keeping: bool,
}

impl Finder {
    /// One of each session that has one of these refs, of those that had made no version after `until`.
    pub(super) async fn newest(&self, refs: &[SessionRef]) -> Result<Vec<Snapshot>> {
        if refs.is_empty() {
            return Ok(Vec::new());
        }
        let sql = format!(
            "SELECT DISTINCT ON (root) {COLUMNS} FROM cloakroom.session_snapshot
             WHERE namespace = $1 AND refs && $2 AND last_ms <= $3 ORDER BY root, version DESC"
        );
        let refs: Vec<&[u8]> = refs.iter().map(|reference| reference.as_bytes().as_slice()).collect();
        // Nothing of a caller's is in the text, here and below.
        let query = sqlx::query_as(AssertSqlSafe(sql)).bind(&*self.namespace).bind(refs).bind(self.until());
        let rows = query.fetch_all(&self.pool).await.map_err(broken)?;
        self.sift(rows).await
    }

    /// Of each of these sessions one that is older.
    pub(super) async fn before(&self, snapshots: &[&Snapshot]) -> Result<Vec<Snapshot>> {
        let version = |snapshot: &&Snapshot| i64::try_from(snapshot.state.version).unwrap_or(i64::MAX);
        let passed = snapshots.iter().map(|one| (one.root.as_bytes().to_vec(), version(one))).collect();
        let rows = self.older(passed).await?;
        self.sift(rows).await
    }

    /// All of them, whatever is wrong with them.
    pub(super) async fn all(&self, refs: &[SessionRef]) -> Result<Vec<SnapshotRow>> {
        if refs.is_empty() {
            return Ok(Vec::new());
        }
        let sql = format!(
            "SELECT {COLUMNS} FROM cloakroom.session_snapshot WHERE namespace = $1 AND refs && $2
             ORDER BY root, version"
        );
        let refs: Vec<&[u8]> = refs.iter().map(|reference| reference.as_bytes().as_slice()).collect();
        let query = sqlx::query_as(AssertSqlSafe(sql)).bind(&*self.namespace).bind(refs);
        query.fetch_all(&self.pool).await.map_err(broken)
    }

    /// Those that can be trusted, and of the sessions of the others the next older that can.
    async fn sift(&self, mut rows: Vec<SnapshotRow>) -> Result<Vec<Snapshot>> {
        let mut found = Vec::new();
        while !rows.is_empty() {
            let late = late(&self.pool, &rows).await?;
            let read = |row: &SnapshotRow| {
                let signed = self
                    .signed_by
                    .as_deref()
                    .is_none_or(|keys| row.signed_by(&self.namespace, keys) == Signed::Yes);
                if !signed || late.contains(&row.root) { None } else { row.read().ok().flatten() }
            };
            let mut good: Vec<Snapshot> = rows.iter().filter_map(read).collect();
            if self.past_keeping {
                self.keep_those_past_keeping(&mut good).await?;
            }
            let taken: HashSet<&[u8]> = good.iter().map(|one| one.root.as_bytes().as_slice()).collect();
            let passed = rows.into_iter().filter(|row| !taken.contains(row.root.as_slice()));
            let passed = passed.map(|row| (row.root, row.version)).collect();
            rows = self.older(passed).await?;
            found.extend(good);
        }
        Ok(found)
    }

    /// The newest of each root that is of an earlier version than this.
    async fn older(&self, passed: Vec<(Vec<u8>, i64)>) -> Result<Vec<SnapshotRow>> {
        if passed.is_empty() {
            return Ok(Vec::new());
        }
        let (roots, versions): (Vec<_>, Vec<_>) = passed.into_iter().unzip();
        let sql = format!(
            "SELECT DISTINCT ON (root) {COLUMNS}
             FROM unnest($2::bytea[], $3::int8[]) AS passed (root, below)
             JOIN cloakroom.session_snapshot USING (root)
             WHERE namespace = $1 AND version < below AND last_ms <= $4 ORDER BY root, version DESC"
        );
        let query = sqlx::query_as(AssertSqlSafe(sql)).bind(&*self.namespace).bind(roots).bind(versions);
        query.bind(self.until()).fetch_all(&self.pool).await.map_err(broken)
    }

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

    fn until(&self) -> i64 {
        i64::try_from(self.until.as_millis()).unwrap_or(i64::MAX)
    }
}

/// The roots of those that do not know all rows of their versions: of which one was stored since, in a branch that was
/// written late, say. Asked so that an index answers it; a ref is of one namespace.
async fn late(pool: &PgPool, rows: &[SnapshotRow]) -> Result<HashSet<Vec<u8>>> {
    let each = || rows.iter().flat_map(|row| row.refs.iter().map(move |reference| (row, reference)));
    let sql = "SELECT DISTINCT known.root
               FROM unnest($1::bytea[], $2::bytea[], $3::int8[], $4::int8[]) AS known (root, ref, version, settled_us)
               CROSS JOIN LATERAL (
                   SELECT FROM cloakroom.session_event AS event
                   WHERE event.ref = known.ref AND event.version <= known.version
                     AND event.ingested_at > timestamptz 'epoch' + known.settled_us * interval '1 microsecond'
                   LIMIT 1
               ) AS event";
    let late: Vec<Vec<u8>> = sqlx::query_scalar(sql)
        .bind(each().map(|(row, _)| &*row.root).collect::<Vec<_>>())
        .bind(each().map(|(_, reference)| &**reference).collect::<Vec<_>>())
        .bind(each().map(|(row, _)| row.version).collect::<Vec<_>>())
        .bind(each().map(|(row, _)| row.settled_us).collect::<Vec<_>>())
        .fetch_all(pool)
        .await
        .map_err(broken)?;
    Ok(late.into_iter().collect())
}
