//! Rows and seals as a verifier takes them.

use std::{borrow::Cow, net::IpAddr};

use uuid::Uuid;

use super::hash::{Fields, Hash, Parts};
use crate::audit::postgres::normal;

/// A row of `cloakroom.session_event`. [`SELECT`](Self::SELECT) reads it; for a dump, write what that
/// statement gives.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
#[allow(missing_docs, reason = "the columns of the table, which has a comment for each")]
pub struct TrailRow {
    pub namespace: String,
    pub event_id: Uuid,
    /// Microseconds since the Unix epoch.
    pub occurred_us: i64,
    #[sqlx(rename = "ref")]
    pub reference: Option<Vec<u8>>,
    pub version: Option<i64>,
    pub prev_event_id: Option<Uuid>,
    pub kind: String,
    pub reason: Option<String>,
    pub user_id: Option<String>,
    pub auth_method: Option<String>,
    pub device: Option<String>,
    pub related: Option<Vec<u8>>,
    pub lifetime_ms: Option<i64>,
    pub idle_class: Option<i16>,
    pub method: Option<String>,
    pub route: Option<String>,
    /// With the length of the network behind it: `203.0.113.7/32`.
    pub client_ip: Option<String>,
    pub user_agent: Option<String>,
    pub trace_id: Option<String>,
    pub schema_version: i16,
    pub flags: i16,
    /// As text.
    pub delta: Option<String>,
    pub delta_raw: Option<Vec<u8>>,
    pub shard: i16,
    pub stream_id: String,
    /// Microseconds since the Unix epoch.
    pub ingested_us: i64,
    pub value_salt: Option<Vec<u8>>,
    pub value_hash: Option<Vec<u8>>,
    pub row_hash: Option<Vec<u8>>,
    pub seal: Option<Uuid>,
}

impl TrailRow {
    /// Reads all columns as this type has them. `WHERE` and `ORDER BY` can follow.
    pub const SELECT: &str = "SELECT namespace, event_id, (extract(epoch FROM occurred_at) * 1000000)::int8 AS occurred_us, ref, \
        version, prev_event_id, kind, reason, user_id, auth_method, device, related, lifetime_ms, idle_class, method, route, \
        client_ip::text AS client_ip, user_agent, trace_id, schema_version, flags, delta::text AS delta, delta_raw, \
        shard, stream_id, (extract(epoch FROM ingested_at) * 1000000)::int8 AS ingested_us, value_salt, value_hash, \
        row_hash, seal FROM cloakroom.session_event";

    /// Whether its values were erased and nothing of them is left.
    pub(super) fn is_erased(&self) -> bool {
        self.value_salt.is_none()
            && self.value_hash.is_some()
            && self.user_id.is_none()
            && self.auth_method.is_none()
            && self.device.is_none()
            && self.method.is_none()
            && self.route.is_none()
            && self.client_ip.is_none()
            && self.user_agent.is_none()
            && self.trace_id.is_none()
            && self.delta.is_none()
            && self.delta_raw.is_none()
    }

    /// The row's hash as it must be; `None` where the row is not as it was written.
    pub(super) fn sound(&self) -> Option<Hash> {
        let (seal, value_hash) = (self.seal?, self.value_hash.as_deref()?);
        let delta = match &self.delta {
            None => None,
            Some(delta) => Some(normal(delta)?),
        };
        let client_ip = match &self.client_ip {
            None => None,
            Some(text) => Some(canonical_ip(text)?),
        };
        let parts = Parts {
            namespace: &self.namespace,
            event_id: self.event_id,
            occurred_us: self.occurred_us,
            reference: self.reference.as_deref(),
            version: self.version,
            predecessor: self.prev_event_id,
            kind: &self.kind,
            reason: self.reason.as_deref(),
            related: self.related.as_deref(),
            lifetime: self.lifetime_ms,
            idle_class: self.idle_class,
            schema: self.schema_version,
            flags: self.flags,
            shard: self.shard,
            stream_id: &self.stream_id,
            user: self.user_id.as_deref(),
            auth_method: self.auth_method.as_deref(),
            device: self.device.as_deref(),
            method: self.method.as_deref(),
            route: self.route.as_deref(),
            client_ip: client_ip.as_deref(),
            user_agent: self.user_agent.as_deref(),
            trace_id: self.trace_id.as_deref(),
            delta: delta.as_deref(),
            delta_raw: self.delta_raw.as_deref(),
        };
        let values_are_sound = match &self.value_salt {
            Some(salt) => parts.value_hash(salt).as_slice() == value_hash,
            None => self.is_erased(),
        };
        let hash = parts.row_hash(seal, self.ingested_us, value_hash);
        (values_are_sound && self.row_hash.as_deref() == Some(hash.as_slice())).then_some(hash)
    }
}

/// PostgreSQL and Rust abbreviate IPv6 differently.
fn canonical_ip(text: &str) -> Option<Cow<'_, str>> {
    let (address, length) = text.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    Some(format!("{address}/{length}").into())
}

/// A row of `cloakroom.seal`.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
#[allow(missing_docs, reason = "the columns of the table, which has a comment for each")]
pub struct Seal {
    pub seal: Uuid,
    pub chain: Uuid,
    pub seq: i64,
    pub rows: i32,
    /// Microseconds since the Unix epoch.
    pub first_us: i64,
    /// Microseconds since the Unix epoch.
    pub last_us: i64,
    pub root: Vec<u8>,
    pub prev_hash: Option<Vec<u8>>,
    pub hash: Vec<u8>,
    pub key_id: Option<String>,
    pub signature: Option<Vec<u8>>,
    /// Microseconds since the Unix epoch, by the writer's clock.
    pub sealed_us: i64,
}

impl Seal {
    /// Reads all columns as this type has them. `WHERE` and `ORDER BY` can follow.
    pub const SELECT: &str = "SELECT seal, chain, seq, rows, (extract(epoch FROM first_at) * 1000000)::int8 AS first_us, \
        (extract(epoch FROM last_at) * 1000000)::int8 AS last_us, root, prev_hash, hash, key_id, signature, \
        (extract(epoch FROM sealed_at) * 1000000)::int8 AS sealed_us FROM cloakroom.seal";

    /// The hash over all that it says, which is what is signed.
    pub(super) fn computed(&self) -> Hash {
        let mut hash = Fields::new(b"cloakroom seal 1");
        hash.bytes(Some(self.seal.as_bytes()));
        hash.bytes(Some(self.chain.as_bytes()));
        hash.number(Some(self.seq));
        hash.number(Some(self.rows.into()));
        hash.number(Some(self.first_us));
        hash.number(Some(self.last_us));
        hash.bytes(Some(&self.root));
        hash.bytes(self.prev_hash.as_deref());
        hash.bytes(self.key_id.as_deref().map(str::as_bytes));
        hash.number(Some(self.sealed_us));
        hash.finish()
    }
}
