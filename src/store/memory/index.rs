//! All sessions of a user, in memory: found by looking at every session, which is exact by nature.

use std::collections::{BTreeMap, HashMap};

use super::{Aftermath, Live, State};
use crate::{
    clock::{Timestamp, millis},
    id::{Address, EventId, SessionHandle},
    record::{Authentication, EndReason, Ended, SessionInfo},
    store::{
        CapPolicy, Create, Created, End, Generation, RESERVATION, Reserved, Revocation, Revoked, SessionCap,
        Which,
    },
};

/// What is known of users besides their sessions.
#[derive(Default)]
pub(super) struct Users {
    /// When, by which event and why all sessions of a user were revoked last.
    revoked: HashMap<String, (Generation, EventId, EndReason)>,
    /// Places that are held for sign-ins under way.
    places: HashMap<(String, SessionHandle), Timestamp>,
}

impl Users {
    pub(super) fn generation(&self, user: &str) -> Generation {
        self.revoked.get(user).map(|(generation, ..)| *generation).unwrap_or_default()
    }

    fn held(&self, user: &str, now: Timestamp) -> usize {
        self.places.iter().filter(|((of, _), until)| of == user && **until > now).count()
    }
}

impl State {
    /// Makes room for the session that `create` makes, or says why there is none.
    pub(super) fn admit(&mut self, create: &Create, now: Timestamp, audit: bool) -> Result<(), Created> {
        let Some((sign_in, listing)) = create.sign_in.as_ref().zip(create.listing()) else { return Ok(()) };
        let user = &sign_in.user;
        if let Some((generation, _, reason)) = self.users.revoked.get(user)
            && listing.began.is_some_and(|began| began < *generation)
        {
            let at = Some(Timestamp::from_millis(generation.get()));
            return Err(Created::Revoked(Ended { reason: *reason, at, device: None }));
        }
        let place = self.users.places.remove(&(user.clone(), listing.handle));
        let granted = place.is_some_and(|until| until > now);
        let Some(SessionCap { limit, policy }) = listing.cap else { return Ok(()) };
        let limit = usize::try_from(limit.get()).unwrap_or(usize::MAX);
        let mut live = self.members(user, now);
        match policy {
            CapPolicy::Reject if granted => return Ok(()),
            CapPolicy::Reject if live.len() + self.users.held(user, now) >= limit => {
                return Err(Created::Rejected);
            }
            CapPolicy::Reject => return Ok(()),
            CapPolicy::EvictOldest => live.sort_by_key(|(info, _)| (info.created_at, info.handle)),
            CapPolicy::EvictLeastRecentlyUsed => live.sort_by_key(|(info, _)| (info.last_seen, info.handle)),
        }
        let surplus = (live.len() + 1).saturating_sub(limit);
        for (_, at) in live.into_iter().take(surplus) {
            let end = End {
                at,
                event: EventId::new(),
                reason: EndReason::Evicted,
                keep_fields: false,
                remember: listing.remember,
                user: Some(user.clone()),
                context: create.context.clone(),
            };
            let _ = self.end(&end, now, audit);
            self.ended_from(&at, create.device.as_deref());
        }
        Ok(())
    }

    pub(super) fn reserve(&mut self, create: &Create, now: Timestamp) -> Reserved {
        let Some((sign_in, listing)) = create.sign_in.as_ref().zip(create.listing()) else {
            return Reserved::Reserved(Generation::default());
        };
        let (user, generation) = (&sign_in.user, self.users.generation(&sign_in.user));
        self.users.places.retain(|_, until| *until > now);
        let place = (user.clone(), listing.handle);
        if let Some(SessionCap { limit, policy: CapPolicy::Reject }) = listing.cap
            && !self.users.places.contains_key(&place)
        {
            let replaced = |at: &Address| listing.replaces == Some(at.reference);
            let live = self.members(user, now).into_iter().filter(|(_, at)| !replaced(at)).count();
            if live + self.users.held(user, now) >= usize::try_from(limit.get()).unwrap_or(usize::MAX) {
                return Reserved::Rejected;
            }
            self.users.places.insert(place, now.plus(RESERVATION));
        }
        Reserved::Reserved(generation)
    }

    pub(super) fn sessions_of(&self, user: &str, now: Timestamp) -> Vec<SessionInfo> {
        let mut list: Vec<_> = self.members(user, now).into_iter().map(|(info, _)| info).collect();
        list.sort_by_key(|info| (std::cmp::Reverse(info.created_at), info.handle));
        list
    }

    pub(super) fn revoke(&mut self, revocation: &Revocation, now: Timestamp, audit: bool) -> Revoked {
        let user = &revocation.user;
        let members: BTreeMap<_, _> =
            self.members(user, now).into_iter().map(|(info, at)| (info.handle, at)).collect();
        let repeated = self.users.revoked.get(user).is_some_and(|(_, by, _)| *by == revocation.event);
        if !repeated && revocation.by.is_some_and(|by| !members.contains_key(&by)) {
            return Revoked::Gone;
        }
        let targets: Vec<_> = match revocation.which {
            Which::One(handle) => match members.get(&handle) {
                Some(at) => vec![*at],
                None => return Revoked::NotFound,
            },
            Which::Others(except) => {
                members.into_iter().filter(|(handle, _)| *handle != except).map(|(_, at)| at).collect()
            }
            Which::All => members.into_values().collect(),
        };
        if !repeated && !matches!(revocation.which, Which::One(_)) {
            let next = Generation::new(now.as_millis().max(self.users.generation(user).get() + 1));
            self.users.revoked.insert(user.clone(), (next, revocation.event, revocation.reason));
            self.users.places.retain(|(of, _), _| of != user);
        }
        for at in &targets {
            let _ = self.end(&revocation.of(*at), now, audit);
            self.ended_from(at, revocation.device.as_deref());
        }
        Revoked::Revoked(targets.len())
    }

    /// What a session's end tells of the device that wanted it.
    fn ended_from(&mut self, at: &Address, device: Option<&str>) {
        if let (Some((_, Aftermath::Ended { ended, .. })), Some(device)) =
            (self.aftermath.get_mut(&at.reference), device)
        {
            ended.device = Some(device.to_owned());
        }
    }

    /// Those that are alive.
    fn members(&self, user: &str, now: Timestamp) -> Vec<(SessionInfo, Address)> {
        let of_user = self.sessions.values().filter(|live| live.record.user.as_deref() == Some(user));
        let alive =
            of_user.filter(|live| live.expires_at > now && self.overdue(live.record.address, now).is_none());
        alive.filter_map(|live| Some((live.info()?, live.record.address))).collect()
    }
}

impl Live {
    fn info(&self) -> Option<SessionInfo> {
        let record = &self.record;
        let last_seen = self.expires_at.as_millis().saturating_sub(millis(self.idle));
        Some(SessionInfo {
            handle: record.handle?,
            created_at: record.created_at,
            last_seen: Timestamp::from_millis(last_seen),
            authentication: record
                .authentication
                .clone()
                .unwrap_or(Authentication { at: record.created_at, method: None }),
            device: record.device.clone(),
            address: self.from.clone(),
            current: false,
        })
    }
}
