//! Their record as content of ours. Only what both releases have in common: the data is JSON.

use std::{collections::HashMap, time::Duration};

use serde_json::{Value, value::to_raw_value};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    bridge::Content,
    error::{Error, ErrorKind, Result},
};

pub(super) fn pack(data: &HashMap<String, Value>, expiry: OffsetDateTime) -> Result<Content> {
    let expiry = expiry.to_utc().format(&Rfc3339).map_err(|error| Error::new(ErrorKind::Encode, error))?;
    let mut content = Content::new(Some(Value::String(expiry).to_string()));
    for (key, value) in data {
        content.put(key, Some(value.to_string()), || to_raw_value(value))?;
    }
    Ok(content)
}

pub(super) fn unpack(content: &Content) -> Result<(HashMap<String, Value>, OffsetDateTime)> {
    let unreadable = |what: &str| Error::msg(ErrorKind::Decode, format!("{what} of a session can't be read"));
    let expiry = content.meta().and_then(|meta| serde_json::from_str::<String>(meta).ok());
    let expiry = expiry.and_then(|expiry| OffsetDateTime::parse(&expiry, &Rfc3339).ok());
    let expiry = expiry.ok_or_else(|| unreadable("the expiry date"))?;
    let mut data = HashMap::new();
    for (key, value) in content.plain().chain(content.rest()) {
        let value = serde_json::from_str(value).map_err(|_| unreadable("a value"))?;
        data.insert(key.to_owned(), value);
    }
    Ok((data, expiry))
}

/// How long a record lives, counted from now by this instance's clock, as the date was. `None`: no more.
pub(super) fn life(expiry: OffsetDateTime) -> Option<Duration> {
    let left = Duration::try_from(expiry - OffsetDateTime::now_utc()).ok()?;
    (left.as_millis() > 0).then_some(left)
}
