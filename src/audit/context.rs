//! The request behind a change.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// What the trail tells of the request that made a change. Everything is optional, and nothing is
/// taken from a header that a client can forge unless the application put it there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct RequestContext {
    /// `GET`, `POST` …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The path, without the query: a query may hold secrets. At most 256 bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// The client's address, as the application configured it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
    /// The `User-Agent` header, at most 256 bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// The trace id of a W3C `traceparent` header, 32 hex digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
}

/// The client's address, as the application determined it: put it into the request's extensions before
/// the session layer sees the request, and the trail has it. No forwarding header is read, since a
/// client can send any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientIp(pub IpAddr);
