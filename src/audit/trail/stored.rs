//! A state as the JSON of the `state` column.

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Deserialize, Serialize};

use super::State;
use crate::{
    audit::queue::StreamId,
    clock::Timestamp,
    id::{Address, EventId, IdleClass, SessionRef, Shard},
    record::{Authentication, Field, FieldName, Json, Version},
};

/// The form of the `state` column. One of another form is passed over, and the rows are read.
const SCHEMA: u8 = 1;

/// What can be made of a column.
#[derive(Debug)]
pub(super) enum Form {
    Known(Box<State>),
    /// Of another release.
    Other,
    /// No release wrote it.
    Broken,
}

impl Form {
    pub(super) fn read(column: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Head {
            schema: u8,
        }
        match serde_json::from_slice::<Head>(column) {
            Ok(Head { schema: SCHEMA }) => {
                let state = serde_json::from_slice::<Stored<'_>>(column).ok().and_then(Stored::into_state);
                state.map_or(Self::Broken, |state| Self::Known(Box::new(state)))
            }
            Ok(_) => Self::Other,
            Err(_) => Self::Broken,
        }
    }
}

/// The column for this state.
pub(super) fn column(state: &State) -> Option<Vec<u8>> {
    serde_json::to_vec(&Stored::of(state)).ok()
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
        Some(State {
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
        })
    }
}
