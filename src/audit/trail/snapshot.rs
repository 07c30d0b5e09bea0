//! What a session came to at one of its versions, as it is stored.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap, HashSet},
};

use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgPool};

use super::{State, broken};
use crate::{
    audit::queue::StreamId,
    clock::Timestamp,
    error::Result,
    id::{Address, EventId, IdleClass, SessionRef, Shard},
    record::{Authentication, Field, FieldName, Json, Version},
};

/// The form of the `state` column. One of another form is passed over, and the rows are read.
const SCHEMA: u8 = 1;

/// A row of `session_snapshot`.
#[derive(Clone, Debug)]
pub(in crate::audit) struct Snapshot {
    pub(in crate::audit) root: SessionRef,
    /// Every ref that the session had.
    pub(in crate::audit) refs: Vec<SessionRef>,
    pub(in crate::audit) state: State,
}

type Row = (Vec<u8>, Vec<Vec<u8>>, i64, i64, Vec<u8>);

impl Snapshot {
    /// The newest of each session that has one of these refs and had made no version after `until`. Not of sessions
    /// of which a row was stored since that stands before it: in a branch that was written late, say.
    pub(super) async fn find(
        pool: &PgPool,
        namespace: &str,
        refs: &[SessionRef],
        until: Timestamp,
    ) -> Result<Vec<Self>> {
        if refs.is_empty() {
            return Ok(Vec::new());
        }
        let sql =
            "SELECT DISTINCT ON (root) root, refs, version, settled_us, state FROM cloakroom.session_snapshot
                   WHERE namespace = $1 AND refs && $2 AND last_ms <= $3 ORDER BY root, version DESC";
        let refs: Vec<&[u8]> = refs.iter().map(|reference| reference.as_bytes().as_slice()).collect();
        let rows: Vec<Row> = sqlx::query_as(sql)
            .bind(namespace)
            .bind(refs)
            .bind(i64::try_from(until.as_millis()).unwrap_or(i64::MAX))
            .fetch_all(pool)
            .await
            .map_err(broken)?;
        let late = late(pool, namespace, &rows).await?;
        let found = rows.into_iter().filter(|row| !late.contains(&row.0));
        Ok(found.filter_map(Self::read).collect())
    }

    /// `None` for a form that this release does not know, or has not written.
    fn read((root, refs, version, _, state): Row) -> Option<Self> {
        let reference = |bytes: Vec<u8>| bytes.try_into().ok().map(SessionRef::from_bytes);
        let state = serde_json::from_slice::<Stored<'_>>(&state).ok()?.into_state()?;
        let refs: Vec<_> = refs.into_iter().map(reference).collect::<Option<_>>()?;
        let fits = i64::try_from(state.version) == Ok(version) && refs.contains(&state.at.reference);
        fits.then_some(Self { root: reference(root)?, refs, state })
    }

    /// Stores it, unless it is there, and forgets all but the last two of the session: one to recover from as of now,
    /// one for a moment ago.
    pub(in crate::audit) async fn store(
        &self,
        connection: &mut PgConnection,
        namespace: &str,
        settled_us: i64,
    ) -> Result<bool> {
        let Ok(state) = serde_json::to_vec(&Stored::of(&self.state)) else { return Ok(false) };
        let refs: Vec<&[u8]> = self.refs.iter().map(|reference| reference.as_bytes().as_slice()).collect();
        let sql = "WITH old AS (
                       DELETE FROM cloakroom.session_snapshot WHERE namespace = $1 AND root = $2 AND version <
                           (SELECT max(version) FROM cloakroom.session_snapshot
                            WHERE namespace = $1 AND root = $2 AND version < $3)
                   )
                   INSERT INTO cloakroom.session_snapshot (namespace, root, version, refs, user_id, last_ms, settled_us, state)
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING";
        let done = sqlx::query(sql)
            .bind(namespace)
            .bind(self.root.as_bytes().as_slice())
            .bind(i64::try_from(self.state.version).unwrap_or(i64::MAX))
            .bind(refs)
            .bind(self.state.user.as_deref())
            .bind(i64::try_from(self.state.last_at.as_millis()).unwrap_or(i64::MAX))
            .bind(settled_us)
            .bind(state)
            .execute(connection)
            .await
            .map_err(broken)?;
        Ok(done.rows_affected() == 1)
    }
}

/// The roots of those that do not know all rows of their versions.
async fn late(pool: &PgPool, namespace: &str, rows: &[Row]) -> Result<HashSet<Vec<u8>>> {
    let each = || rows.iter().flat_map(|row| row.1.iter().map(move |reference| (row, reference)));
    let sql = "SELECT DISTINCT known.root
               FROM unnest($2::bytea[], $3::bytea[], $4::int8[], $5::int8[]) AS known (root, ref, version, settled_us)
               JOIN cloakroom.session_event AS event ON event.ref = known.ref AND event.version <= known.version
               WHERE event.namespace = $1
                 AND event.ingested_at > timestamptz 'epoch' + known.settled_us * interval '1 microsecond'";
    let late: Vec<Vec<u8>> = sqlx::query_scalar(sql)
        .bind(namespace)
        .bind(each().map(|(row, _)| &*row.0).collect::<Vec<_>>())
        .bind(each().map(|(_, reference)| &**reference).collect::<Vec<_>>())
        .bind(each().map(|(row, _)| row.2).collect::<Vec<_>>())
        .bind(each().map(|(row, _)| row.3).collect::<Vec<_>>())
        .fetch_all(pool)
        .await
        .map_err(broken)?;
    Ok(late.into_iter().collect())
}

/// By each of its refs.
pub(super) fn by_ref(snapshots: Vec<Snapshot>) -> HashMap<SessionRef, Snapshot> {
    let each = |snapshot: Snapshot| snapshot.refs.clone().into_iter().map(move |of| (of, snapshot.clone()));
    snapshots.into_iter().flat_map(each).collect()
}

/// A [`State`] as JSON. A value is a string, since `Json` may hold what a parser would word anew.
#[derive(Serialize, Deserialize)]
struct Stored<'a> {
    schema: u8,
    reference: Cow<'a, str>,
    shard: u16,
    class: u8,
    former: Vec<String>,
    head: [u8; 16],
    version: u64,
    created_at: u64,
    began: String,
    deadline: u64,
    last_at: u64,
    user: Option<Cow<'a, str>>,
    authenticated: Option<(u64, Option<Cow<'a, str>>)>,
    device: Option<Cow<'a, str>>,
    fields: BTreeMap<Cow<'a, str>, (u64, Cow<'a, str>)>,
    lost: Vec<Cow<'a, str>>,
    recent: Vec<(u64, u64)>,
}

impl<'a> Stored<'a> {
    fn of(state: &'a State) -> Self {
        let field = |(name, field): (&'a FieldName, &'a Field)| {
            (name.as_str().into(), (field.version.get(), field.value.as_str().into()))
        };
        let authenticated =
            |proof: &'a Authentication| (proof.at.as_millis(), proof.method.as_deref().map(Cow::from));
        Self {
            schema: SCHEMA,
            reference: state.at.reference.to_string().into(),
            shard: state.at.shard.index(),
            class: state.at.class.index(),
            former: state.former.iter().map(ToString::to_string).collect(),
            head: *state.head.as_bytes(),
            version: state.version,
            created_at: state.created_at.as_millis(),
            began: state.began.to_string(),
            deadline: state.deadline.as_millis(),
            last_at: state.last_at.as_millis(),
            user: state.user.as_deref().map(Cow::from),
            authenticated: state.authentication.as_ref().map(authenticated),
            device: state.device.as_deref().map(Cow::from),
            fields: state.fields.iter().map(field).collect(),
            lost: state.lost.iter().map(|name| name.as_str().into()).collect(),
            recent: state.recent_at().map(|(tail, at)| (u64::from_be_bytes(tail), at.as_millis())).collect(),
        }
    }

    fn into_state(self) -> Option<State> {
        let name = |name: &str| FieldName::new(name).ok();
        let field = |(called, (version, value)): (Cow<'_, str>, (u64, Cow<'_, str>))| {
            let value = Json::from_text(&*value);
            Some((name(&called)?, Field { version: Version::new(version), secret: false, value }))
        };
        let recent = self.recent.iter();
        let recent = recent.map(|(tail, at)| (tail.to_be_bytes(), Timestamp::from_millis(*at))).collect();
        let state = State {
            at: Address {
                reference: SessionRef::parse(&self.reference)?,
                shard: Shard::from_index(self.shard),
                class: IdleClass::new(self.class)?,
            },
            former: self.former.iter().map(|former| SessionRef::parse(former)).collect::<Option<_>>()?,
            head: EventId::from_bytes(self.head),
            version: self.version,
            created_at: Timestamp::from_millis(self.created_at),
            began: self.began.parse::<StreamId>().ok()?,
            deadline: Timestamp::from_millis(self.deadline),
            last_at: Timestamp::from_millis(self.last_at),
            user: self.user.map(Cow::into_owned),
            authentication: self.authenticated.map(|(at, method)| Authentication {
                at: Timestamp::from_millis(at),
                method: method.map(Cow::into_owned),
            }),
            device: self.device.map(Cow::into_owned),
            fields: self.fields.into_iter().map(field).collect::<Option<_>>()?,
            lost: self.lost.iter().map(|lost| name(lost)).collect::<Option<_>>()?,
            recent,
            ended: None,
        };
        (self.schema == SCHEMA).then_some(state)
    }
}
