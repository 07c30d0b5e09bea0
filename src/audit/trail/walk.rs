//! Through all sessions of the trail, a page at a time.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use sqlx::{AssertSqlSafe, PgPool, Row as _};
use uuid::Uuid;

use super::{History, Snapshot, SnapshotFaults, broken, check::Check, finder::Finder, snapshot::by_ref};
use crate::{
    audit::{postgres::clean_user, seal::SealPublicKey},
    clock::Timestamp,
    error::Result,
    id::{SessionRef, Shard},
};

/// The first row of each ref. From one ref to the next by the index, however many rows a ref has.
const FIRST: &str = "
WITH RECURSIVE first AS (
    (SELECT ref, version, prev_event_id, shard FROM cloakroom.session_event
     WHERE ref > $1 AND namespace = $3 AND version IS NOT NULL ORDER BY ref, version LIMIT 1)
    UNION ALL
    SELECT next.* FROM first CROSS JOIN LATERAL (
        SELECT ref, version, prev_event_id, shard FROM cloakroom.session_event
        WHERE ref > first.ref AND namespace = $3 AND version IS NOT NULL ORDER BY ref, version LIMIT 1
    ) AS next
)
SELECT * FROM first LIMIT $2";

/// The first row of each ref in which this user did something.
const FIRST_OF_USER: &str = "
SELECT DISTINCT ON (ref) ref, version, prev_event_id FROM cloakroom.session_event
WHERE ref > $1 AND user_id = $4 AND namespace = $3 AND version IS NOT NULL ORDER BY ref, version LIMIT $2";

/// The highest shard of some hundred sessions, which is the highest that a namespace with so many sessions has, or
/// nearly; of all, where there are fewer.
///
/// # Errors
///
/// [`ErrorKind::Unavailable`](crate::error::ErrorKind::Unavailable) while PostgreSQL does not answer.
pub(in crate::audit) async fn highest_shard(pool: &PgPool, namespace: &str) -> Result<Option<Shard>> {
    let sql = format!("SELECT max(shard) FROM ({FIRST}) AS sessions");
    // No index has the shards, and to look at every row takes minutes where there are many. Nothing of a caller's is in
    // the text.
    let highest = sqlx::query_scalar::<_, Option<i16>>(AssertSqlSafe(sql));
    let highest =
        highest.bind(Vec::<u8>::new()).bind(500_i64).bind(namespace).fetch_one(pool).await.map_err(broken)?;
    Ok(highest.and_then(|shard| u16::try_from(shard).ok()).map(Shard::from_index))
}

/// Reads pages of sessions, in the order of the refs under which they began.
#[derive(Debug)]
pub(in crate::audit) struct Walk {
    pub(super) pool: PgPool,
    pub(super) namespace: Arc<str>,
    user: Option<String>,
    pub(super) until: Timestamp,
    sessions: i64,
    after: Option<Vec<u8>>,
    /// Where the last page began.
    before: Option<Vec<u8>>,
    finder: Finder,
    /// With which keys the snapshots of every session are checked, if they are.
    checked_with: Option<Arc<[SealPublicKey]>>,
    /// Rows that were stored later are not read, µs.
    pub(super) settled_us: Option<i64>,
}

/// Some sessions.
#[derive(Debug, Default)]
pub(in crate::audit) struct Page {
    pub(in crate::audit) histories: Vec<History>,
    /// Sessions whose first rows are missing.
    pub(in crate::audit) headless: Vec<Headless>,
    /// How many rows were read for these.
    pub(in crate::audit) rows: u64,
    /// Of how many sessions a snapshot stood for their first rows.
    pub(in crate::audit) since_snapshots: u64,
}

/// A session whose first rows are missing.
#[derive(Debug)]
pub(in crate::audit) struct Headless {
    /// A ref of it.
    pub(in crate::audit) session: SessionRef,
    /// What is wrong with its snapshots, where these are checked.
    pub(in crate::audit) snapshots: SnapshotFaults,
}

/// Where to begin to read a session.
#[derive(Debug)]
pub(super) struct Start {
    pub(super) root: SessionRef,
    /// Whether its first row is there.
    begun: bool,
    pub(super) snapshot: Option<Snapshot>,
    /// Its snapshots, where these are checked.
    pub(super) check: Check,
}

impl Start {
    fn into_headless(self) -> Headless {
        Headless { session: self.root, snapshots: self.check.without_rows() }
    }
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
        let namespace: Arc<str> = namespace.into();
        let finder = Finder {
            pool: pool.clone(),
            namespace: Arc::clone(&namespace),
            until,
            signed_by: None,
            past_keeping: true,
        };
        Self {
            pool,
            namespace,
            user,
            until,
            sessions: i64::from(sessions.max(1)),
            after: Some(Vec::new()),
            before: None,
            finder,
            checked_with: None,
            settled_us: None,
        }
    }

    /// Reads of each session only what is younger than its snapshot, whatever became of the rows before. Without this,
    /// snapshots are used for sessions that began in a month that was dropped: in any other, a row that is missing
    /// was deleted.
    pub(in crate::audit) fn since_snapshots(mut self) -> Self {
        self.finder.past_keeping = false;
        self
    }

    /// Passes over every snapshot that none of these keys signed.
    pub(in crate::audit) fn signed_by(mut self, keys: Option<Arc<[SealPublicKey]>>) -> Self {
        self.finder.signed_by = keys;
        self
    }

    /// Holds all snapshots against the rows, and against these keys where there are some.
    pub(in crate::audit) fn checking_snapshots(mut self, keys: &[SealPublicKey]) -> Self {
        if !keys.is_empty() {
            self.finder.signed_by = Some(keys.into());
        }
        self.checked_with = Some(keys.into());
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
        let query = match &self.user {
            Some(user) => {
                sqlx::query(FIRST_OF_USER).bind(&after).bind(self.sessions).bind(&*self.namespace).bind(user)
            }
            None => sqlx::query(FIRST).bind(&after).bind(self.sessions).bind(&*self.namespace),
        };
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
                later.push((reference, predecessor.unwrap_or_default()));
            }
        }
        if i64::try_from(rows.len()).unwrap_or(i64::MAX) < self.sessions {
            self.after = None;
        }
        let headless = self.headless(later).await?;
        self.page(roots, headless).await.map(Some)
    }

    async fn page(&self, roots: Vec<SessionRef>, headless: Vec<SessionRef>) -> Result<Page> {
        let mut checks = self.checks(&roots, &headless).await?;
        let mut wanted = headless.clone();
        if !self.finder.past_keeping {
            wanted.extend(&roots);
        }
        let mut found = by_ref(self.finder.newest(&wanted).await?);
        let mut take = |reference: &SessionRef| {
            let snapshot = found.get(reference).cloned()?;
            found.retain(|_, other| other.root != snapshot.root);
            Some(snapshot)
        };
        let mut start = |root, begun| {
            let check = checks.remove(&root).unwrap_or_default();
            Start { root, begun, snapshot: take(&root), check }
        };
        let mut starts: Vec<Start> = roots.into_iter().map(|root| start(root, true)).collect();
        let mut page = Page::default();
        for reference in headless {
            let start = start(reference, false);
            if start.snapshot.is_some() {
                starts.push(start);
            } else {
                page.headless.push(start.into_headless());
            }
        }
        while !starts.is_empty() {
            let histories = self.histories(&starts, &mut page.rows).await?;
            let mut astray = Vec::new();
            for (start, history) in starts.into_iter().zip(histories) {
                if history.is_anchored() {
                    page.histories.push(history);
                } else {
                    astray.push(start);
                }
            }
            starts = self.one_older(astray, &mut page.headless).await?;
        }
        let since = page.histories.iter().filter(|history| history.is_since_snapshot()).count();
        page.since_snapshots = u64::try_from(since).unwrap_or(0);
        Ok(page)
    }

    /// What does not follow its snapshot is read from an older one on, or else from the beginning, if that is there.
    async fn one_older(&self, astray: Vec<Start>, headless: &mut Vec<Headless>) -> Result<Vec<Start>> {
        let passed: Vec<&Snapshot> = astray.iter().filter_map(|start| start.snapshot.as_ref()).collect();
        let older = self.finder.before(&passed).await?;
        let mut older: HashMap<SessionRef, Snapshot> =
            older.into_iter().map(|snapshot| (snapshot.root, snapshot)).collect();
        let mut starts = Vec::new();
        for start in astray {
            let snapshot = start.snapshot.as_ref().and_then(|passed| older.remove(&passed.root));
            if snapshot.is_some() || start.begun {
                starts.push(Start { snapshot, ..start });
            } else {
                headless.push(start.into_headless());
            }
        }
        Ok(starts)
    }

    /// All snapshots of these sessions, by their refs.
    async fn checks(
        &self,
        roots: &[SessionRef],
        headless: &[SessionRef],
    ) -> Result<HashMap<SessionRef, Check>> {
        let mut checks: HashMap<SessionRef, Check> = HashMap::new();
        let Some(keys) = &self.checked_with else { return Ok(checks) };
        let wanted: Vec<SessionRef> = roots.iter().chain(headless).copied().collect();
        let known: HashSet<SessionRef> = wanted.iter().copied().collect();
        for row in self.finder.all(&wanted).await? {
            for reference in row.references().intersection(&known) {
                checks.entry(*reference).or_default().add(&row, &self.namespace, keys);
            }
        }
        Ok(checks)
    }

    /// Those that follow an event which is not there. The others are found from where they began.
    async fn headless(&self, later: Vec<(SessionRef, Uuid)>) -> Result<Vec<SessionRef>> {
        if later.is_empty() {
            return Ok(Vec::new());
        }
        let before: Vec<Uuid> = later.iter().map(|(_, before)| *before).collect();
        let sql = "SELECT event_id FROM cloakroom.session_event WHERE event_id = ANY($1)";
        let found: Vec<Uuid> =
            sqlx::query_scalar(sql).bind(before).fetch_all(&self.pool).await.map_err(broken)?;
        let found: HashSet<Uuid> = found.into_iter().collect();
        let lost = later.into_iter().filter(|(_, before)| !found.contains(before));
        Ok(lost.map(|(reference, _)| reference).collect())
    }
}
