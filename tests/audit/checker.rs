//! What must be in the table, whoever put it there.

use std::collections::{BTreeMap, HashMap, HashSet};

use cloakroom::id::EventId;
use sqlx::PgPool;
use uuid::Uuid;

use crate::{meta, site::Site, traffic::Acked};

/// What is wrong with the trail. Nothing, if all is empty.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Acknowledged, and not there.
    pub missing: usize,
    /// There, and never acknowledged.
    pub unknown: usize,
    /// There more than once.
    pub doubled: usize,
    /// There with another session or version than was acknowledged.
    pub wrong: usize,
    /// Sessions whose versions are not 1, 2, 3 …, each naming the one before.
    pub broken: usize,
}

impl Findings {
    pub const NONE: Self = Self { missing: 0, unknown: 0, doubled: 0, wrong: 0, broken: 0 };
}

/// By version: the event, and the one that it follows.
type Versions = BTreeMap<i64, (Uuid, Option<Uuid>)>;
type Row = (Uuid, Vec<u8>, i64, Option<Uuid>);

pub async fn check(pool: &PgPool, acked: &[Acked]) -> Findings {
    let rows: Vec<Row> =
        sqlx::query_as("SELECT event_id, ref, version, prev_event_id FROM cloakroom.session_event")
            .fetch_all(pool)
            .await
            .unwrap();
    let expected: HashMap<Uuid, &Acked> = acked.iter().map(|acked| (acked.event.as_uuid(), acked)).collect();
    assert_eq!(expected.len(), acked.len(), "event ids are unique");

    let mut findings = Findings::default();
    let mut seen = HashSet::new();
    let mut sessions: BTreeMap<&[u8], Versions> = BTreeMap::new();
    for (event, reference, version, predecessor) in &rows {
        findings.doubled += usize::from(!seen.insert(*event));
        match expected.get(event) {
            None => findings.unknown += 1,
            Some(acked) => {
                let same =
                    acked.reference.as_bytes() == reference.as_slice() && acked.version == *version as u64;
                findings.wrong += usize::from(!same);
            }
        }
        sessions.entry(reference).or_default().insert(*version, (*event, *predecessor));
    }
    findings.missing = expected.keys().filter(|event| !seen.contains(*event)).count();
    findings.broken = sessions.values().filter(|events| !is_chain(events)).count();
    findings
}

fn is_chain(events: &Versions) -> bool {
    let mut last = None;
    events.iter().zip(1..).all(|((version, (event, predecessor)), expected)| {
        let follows = *version == expected && *predecessor == last;
        last = Some(*event);
        follows
    })
}

/// The sessions that live in Redis and the last that the trail tells of them: how many are not the same, and how
/// many there are. Only where nobody writes any more and the queue is empty.
pub async fn compare_heads(site: &Site) -> (usize, usize) {
    // A new connection: the test's own may have lost its server meanwhile.
    let client = redis::Client::open(site.redis_url.as_str()).unwrap();
    let mut redis = client.get_multiplexed_async_connection().await.unwrap();
    let keys: Vec<String> =
        redis::cmd("KEYS").arg(format!("{}:*:s:*", site.namespace)).query_async(&mut redis).await.unwrap();
    let mut different = 0;
    for key in &keys {
        let heads: Vec<u8> = redis::cmd("HGET").arg(key).arg("h").query_async(&mut redis).await.unwrap();
        let (version, head, _) = meta::heads(&heads);
        let version = i64::try_from(version).unwrap();
        let last: Option<(i64, i64)> = sqlx::query_as(
            "SELECT head.version, (SELECT max(version) FROM cloakroom.session_event WHERE ref = head.ref)
             FROM cloakroom.session_event AS head WHERE event_id = $1",
        )
        .bind(Uuid::from_slice(&head).unwrap())
        .fetch_optional(&site.pool)
        .await
        .unwrap();
        different += usize::from(last != Some((version, version)));
    }
    (different, keys.len())
}

#[test]
fn a_chain_has_no_gap_and_no_other_parent() {
    let [a, b, c] = [(); 3].map(|()| EventId::new().as_uuid());
    assert!(is_chain(&[(1, (a, None)), (2, (b, Some(a))), (3, (c, Some(b)))].into()));
    assert!(!is_chain(&[(1, (a, None)), (3, (c, Some(b)))].into()));
    assert!(!is_chain(&[(1, (a, None)), (2, (b, Some(c)))].into()));
    assert!(!is_chain(&[(2, (b, Some(a)))].into()));
}
