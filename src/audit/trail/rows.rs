//! The rows of a page of sessions.

use std::{collections::HashMap, future::poll_fn};

use sqlx::AssertSqlSafe;

use super::{Event, History, Walk, broken, event::COLUMNS, walk::Start};
use crate::{clock::Timestamp, error::Result, id::SessionRef, record::EndReason};

impl Walk {
    /// The events of these sessions, followed over their renewals.
    pub(super) async fn histories(&self, starts: &[Start], count: &mut u64) -> Result<Vec<History>> {
        let mut histories = Vec::with_capacity(starts.len());
        let mut owners: HashMap<SessionRef, usize> = HashMap::new();
        // From which version on.
        let mut round: Vec<(SessionRef, i64)> = Vec::new();
        for (place, start) in starts.iter().enumerate() {
            if let Some(snapshot) = &start.snapshot {
                let version = i64::try_from(snapshot.state.version).unwrap_or(i64::MAX);
                for reference in &snapshot.refs {
                    // Also one that was given up: an end in a branch that was lost stands there.
                    if owners.insert(*reference, place).is_none() {
                        round.push((*reference, version));
                    }
                }
                histories.push(History::since(snapshot.clone(), self.until).checking(start.check.clone()));
            } else {
                owners.insert(start.root, place);
                round.push((start.root, 0));
                histories.push(History::new(self.until).checking(start.check.clone()));
            }
        }
        while !round.is_empty() {
            let mut following = Vec::new();
            self.events(&round, |event| {
                *count += 1;
                let Some(place) = owners.get(&event.reference).copied() else { return };
                if let Some(to) = event.successor().filter(|to| !owners.contains_key(to)) {
                    owners.insert(to, place);
                    following.push((to, 0));
                }
                if let Some(history) = histories.get_mut(place) {
                    history.push(event);
                }
            })
            .await?;
            let refs = round.iter().map(|(reference, _)| *reference).collect();
            for (reference, reason, at) in self.ends_without_version(refs).await? {
                if let Some(history) = owners.get(&reference).and_then(|place| histories.get_mut(*place)) {
                    history.ran_out(reason, at);
                }
            }
            round = following;
        }
        Ok(histories)
    }

    /// Hands over what each of these has after a version, ref by ref, in order.
    ///
    /// One statement, whose rows are taken as they come: with a statement for every few thousand, PostgreSQL looks at
    /// all that are left each time, which takes four times as long for twice the rows.
    async fn events(&self, round: &[(SessionRef, i64)], mut each: impl FnMut(Event)) -> Result<()> {
        // Each ref by itself: PostgreSQL would rather read all of its rows than look for the last ones, and has only
        // those of one to sort.
        let sql = format!(
            "SELECT {COLUMNS} FROM unnest($1::bytea[], $2::int8[]) WITH ORDINALITY AS known (of, seen, nth)
             CROSS JOIN LATERAL (
                 SELECT * FROM cloakroom.session_event WHERE ref = of AND version > seen AND namespace = $3
                 AND ($4::int8 IS NULL OR ingested_at <= timestamptz 'epoch' + $4 * interval '1 microsecond')
                 ORDER BY version, event_id
             ) AS event ORDER BY nth, version, event_id"
        );
        let refs: Vec<&[u8]> = round.iter().map(|(reference, _)| reference.as_bytes().as_slice()).collect();
        let seen: Vec<i64> = round.iter().map(|(_, version)| *version).collect();
        // Nothing of a caller's is in the text.
        let query = sqlx::query(AssertSqlSafe(sql)).bind(refs).bind(seen);
        let mut rows = query.bind(&*self.namespace).bind(self.settled_us).fetch(&self.pool);
        while let Some(row) = poll_fn(|context| rows.as_mut().poll_next(context)).await {
            each(row.and_then(|row| Event::read(&row)).map_err(broken)?);
        }
        Ok(())
    }

    /// What a sweep told of sessions that had run out.
    async fn ends_without_version(
        &self,
        refs: Vec<SessionRef>,
    ) -> Result<Vec<(SessionRef, EndReason, Timestamp)>> {
        let sql =
            "SELECT ref, reason, (extract(epoch FROM occurred_at) * 1000)::int8 FROM cloakroom.session_event
                   WHERE ref = ANY($1) AND namespace = $2 AND version IS NULL AND kind = 'ended'";
        let refs: Vec<&[u8]> = refs.iter().map(|reference| reference.as_bytes().as_slice()).collect();
        let rows = sqlx::query_as::<_, (Vec<u8>, Option<String>, i64)>(sql).bind(refs).bind(&*self.namespace);
        let rows = rows.fetch_all(&self.pool).await.map_err(broken)?;
        let read = |(reference, reason, at): (Vec<u8>, Option<String>, i64)| {
            let at = Timestamp::from_millis(u64::try_from(at).unwrap_or(0));
            let reference = SessionRef::from_bytes(reference.try_into().ok()?);
            Some((reference, EndReason::parse(reason.as_deref().unwrap_or("")), at))
        };
        Ok(rows.into_iter().filter_map(read).collect())
    }
}
