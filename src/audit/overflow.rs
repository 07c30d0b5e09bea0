//! When PostgreSQL stays away and too much waits.

/// What becomes of a change when the entries that wait in Redis have used up their
/// budget, `RedisStoreBuilder::audit_budget`.
///
/// It is about changes of keys only. That a session began, moved to another token or ended is told in any case,
/// until Redis itself is full: a PostgreSQL that is down logs nobody out and refuses no sign-in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum AuditOverflow {
    /// The change is made and **not told**. How many there were and from when to when stands in the trail as an
    /// event of the kind `gap`, one for each shard, and in the view `cloakroom.gaps`; the sessions' versions
    /// count on, so that it can be seen which sessions they were.
    #[default]
    Shed,
    /// The change is **refused** as if Redis did not answer: 503, and nothing is changed. For an application in
    /// which nothing may happen that is not told.
    Block,
}
