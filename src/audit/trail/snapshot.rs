//! What a session came to at one of its versions, and the row that it is stored as.

use std::collections::{HashMap, HashSet};

use sqlx::PgConnection;

use super::{
    State, broken,
    stored::{Form, column},
};
use crate::{
    audit::seal::{Fields, SealKey, SealPublicKey},
    error::Result,
    id::SessionRef,
};

/// A row of `session_snapshot`, as far as it is known what it says.
#[derive(Clone, Debug)]
pub(in crate::audit) struct Snapshot {
    pub(in crate::audit) root: SessionRef,
    /// Every ref that the session had.
    pub(in crate::audit) refs: Vec<SessionRef>,
    pub(in crate::audit) state: State,
}

/// A row of `session_snapshot`.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct SnapshotRow {
    pub(super) root: Vec<u8>,
    pub(super) refs: Vec<Vec<u8>>,
    pub(super) version: i64,
    user_id: Option<String>,
    last_ms: i64,
    pub(super) settled_us: i64,
    state: Vec<u8>,
    key_id: Option<String>,
    signature: Option<Vec<u8>>,
}

/// Whether it is as the holder of a key wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signed {
    Yes,
    /// Or by a key that nobody gave.
    No,
    /// It was changed.
    Wrongly,
}

/// The columns of a [`SnapshotRow`].
pub(super) const COLUMNS: &str =
    "root, refs, version, user_id, last_ms, settled_us, state, key_id, signature";

impl SnapshotRow {
    fn of(snapshot: &Snapshot, settled_us: i64) -> Option<Self> {
        let state = &snapshot.state;
        Some(Self {
            root: snapshot.root.as_bytes().to_vec(),
            refs: snapshot.refs.iter().map(|reference| reference.as_bytes().to_vec()).collect(),
            version: i64::try_from(state.version).ok()?,
            user_id: state.user.clone(),
            last_ms: i64::try_from(state.last_at.as_millis()).unwrap_or(i64::MAX),
            settled_us,
            state: column(state)?,
            key_id: None,
            signature: None,
        })
    }

    /// Each once.
    pub(super) fn references(&self) -> HashSet<SessionRef> {
        let reference = |bytes: &Vec<u8>| bytes.as_slice().try_into().ok().map(SessionRef::from_bytes);
        self.refs.iter().filter_map(reference).collect()
    }

    /// What it says; `Ok(None)` in a form of another release.
    ///
    /// # Errors
    ///
    /// Where no release wrote it so.
    pub(super) fn read(&self) -> Result<Option<Snapshot>, Broken> {
        let reference = |bytes: &Vec<u8>| bytes.as_slice().try_into().ok().map(SessionRef::from_bytes);
        let state = match Form::read(&self.state) {
            Form::Known(state) => *state,
            Form::Other => return Ok(None),
            Form::Broken => return Err(Broken),
        };
        let refs: Option<Vec<_>> = self.refs.iter().map(reference).collect();
        let (root, refs) = reference(&self.root).zip(refs).ok_or(Broken)?;
        let snapshot = Snapshot { root, refs, state };
        // What stands in columns is what it is found by.
        let fits = Self::of(&snapshot, 0).is_some_and(|row| {
            (row.version, row.last_ms, &row.user_id) == (self.version, self.last_ms, &self.user_id)
        });
        let whole =
            snapshot.refs.contains(&snapshot.root) && snapshot.refs.contains(&snapshot.state.at.reference);
        if fits && whole { Ok(Some(snapshot)) } else { Err(Broken) }
    }

    /// Stores it, unless another run did so since this one began, and forgets all but the last two of the session: one
    /// to recover from as of now, one for a moment ago. One of this version that is older was passed over.
    pub(super) async fn store(
        &self,
        connection: &mut PgConnection,
        namespace: &str,
        began_us: i64,
    ) -> Result<bool> {
        let sql = "WITH old AS (
                       DELETE FROM cloakroom.session_snapshot WHERE namespace = $1 AND root = $2 AND version <
                           (SELECT max(version) FROM cloakroom.session_snapshot
                            WHERE namespace = $1 AND root = $2 AND version < $3)
                   )
                   INSERT INTO cloakroom.session_snapshot AS there
                       (namespace, root, version, refs, user_id, last_ms, settled_us, state, key_id, signature)
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
                   ON CONFLICT (namespace, root, version) DO UPDATE SET
                       (refs, user_id, last_ms, settled_us, state, key_id, signature, made_at) =
                       (excluded.refs, excluded.user_id, excluded.last_ms, excluded.settled_us, excluded.state,
                        excluded.key_id, excluded.signature, excluded.made_at)
                   WHERE there.made_at < timestamptz 'epoch' + $11 * interval '1 microsecond'";
        let done = sqlx::query(sql)
            .bind(namespace)
            .bind(&self.root)
            .bind(self.version)
            .bind(&self.refs)
            .bind(self.user_id.as_deref())
            .bind(self.last_ms)
            .bind(self.settled_us)
            .bind(&self.state)
            .bind(self.key_id.as_deref())
            .bind(self.signature.as_deref())
            .bind(began_us)
            .execute(connection)
            .await
            .map_err(broken)?;
        Ok(done.rows_affected() == 1)
    }

    /// Everything that a recovery relies on. Changing any of it makes every signature wrong.
    fn digest(&self, namespace: &str, key_id: &str) -> [u8; 32] {
        let mut hash = Fields::new(b"cloakroom snapshot 1");
        hash.bytes(Some(namespace.as_bytes()));
        hash.bytes(Some(key_id.as_bytes()));
        hash.bytes(Some(&self.root));
        hash.number(Some(self.version));
        hash.number(i64::try_from(self.refs.len()).ok());
        for reference in &self.refs {
            hash.bytes(Some(reference));
        }
        hash.bytes(self.user_id.as_deref().map(str::as_bytes));
        hash.number(Some(self.last_ms));
        hash.number(Some(self.settled_us));
        hash.bytes(Some(&self.state));
        hash.finish()
    }

    fn sign(&mut self, namespace: &str, key: &SealKey) {
        self.signature = Some(key.sign(&self.digest(namespace, key.id())));
        self.key_id = Some(key.id().to_owned());
    }

    pub(super) fn signed_by(&self, namespace: &str, keys: &[SealPublicKey]) -> Signed {
        let Some((key_id, signature)) = self.key_id.as_deref().zip(self.signature.as_deref()) else {
            return Signed::No;
        };
        let mut known = keys.iter().filter(|key| key.id() == key_id).peekable();
        if known.peek().is_none() {
            return Signed::No;
        }
        let digest = self.digest(namespace, key_id);
        if known.any(|key| key.has_signed(&digest, signature)) { Signed::Yes } else { Signed::Wrongly }
    }
}

/// Not as any release writes it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Broken;

impl Snapshot {
    /// Stores it, signed where there is a key. `settled_us`: rows that were stored later are not in it; `began_us`: when
    /// the run began. `false` where another run was quicker.
    pub(in crate::audit) async fn store(
        &self,
        connection: &mut PgConnection,
        namespace: &str,
        (settled_us, began_us): (i64, i64),
        key: Option<&SealKey>,
    ) -> Result<bool> {
        let Some(mut row) = SnapshotRow::of(self, settled_us) else { return Ok(false) };
        if let Some(key) = key {
            row.sign(namespace, key);
        }
        row.store(connection, namespace, began_us).await
    }
}

/// By each of its refs.
pub(super) fn by_ref(snapshots: Vec<Snapshot>) -> HashMap<SessionRef, Snapshot> {
    let each = |snapshot: Snapshot| snapshot.refs.clone().into_iter().map(move |of| (of, snapshot.clone()));
    snapshots.into_iter().flat_map(each).collect()
}
