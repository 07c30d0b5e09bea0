//! The row that tells of changes which were left out.

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use uuid::Uuid;

use super::Row;
use crate::{audit::queue::LeftOut, clock::Timestamp};

/// What `gap.lua` writes: it belongs to a shard and to no session.
#[derive(Deserialize)]
pub(in crate::audit) struct Gap {
    schema: u16,
    #[serde(deserialize_with = "uuid")]
    id: Uuid,
    kind: Kind,
    #[serde(flatten)]
    delta: Delta,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Gap,
}

/// The `delta` column of such a row. The view `cloakroom.gaps` reads it.
#[derive(Serialize, Deserialize)]
struct Delta {
    shed: u64,
    /// Milliseconds since the Unix epoch, by Redis' clock.
    since: u64,
    until: u64,
}

impl Gap {
    pub(in crate::audit) fn parse(payload: &[u8]) -> Option<Self> {
        serde_json::from_slice(payload).ok()
    }

    pub(in crate::audit) fn id(&self) -> Uuid {
        self.id
    }

    pub(in crate::audit) fn left_out(&self) -> LeftOut {
        let Delta { shed, since, until } = self.delta;
        let [since, until] = [since, until].map(Timestamp::from_millis);
        LeftOut { changes: shed, since, until }
    }

    pub(super) fn fill(self, row: &mut Row) {
        let Self { schema, id, kind: Kind::Gap, delta } = self;
        row.schema = i16::try_from(schema).unwrap_or(i16::MAX);
        row.event_id = id;
        row.kind = "gap".into();
        row.delta = serde_json::to_string(&delta).ok();
        // It has no version and no predecessor, and nothing is missing by that.
        row.flags = 0;
    }
}

fn uuid<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Uuid, D::Error> {
    Uuid::try_parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}
