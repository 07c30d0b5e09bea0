//! From a change to its line in the trail.

use super::{DeltaView, EntryKind, Payload};
use crate::store::{Commit, Create, End, Renewal};

impl<'a> From<&'a Create> for Payload<'a> {
    fn from(create: &'a Create) -> Self {
        let sign_in = create.sign_in.as_ref();
        Self {
            kind: if sign_in.is_some() { EntryKind::SignedIn } else { EntryKind::Created },
            user: sign_in.map(|sign_in| sign_in.user.as_str()),
            auth_method: sign_in.and_then(|sign_in| sign_in.method.as_deref()),
            device: create.device.as_deref(),
            related: create.predecessor.map(|(reference, _)| reference),
            lifetime: Some(crate::clock::millis(create.absolute)),
            idle_class: Some(create.at.class.index()),
            delta: DeltaView::of(Some(&create.delta)),
            ..Self::blank(create.event, create.at.reference, &create.context)
        }
    }
}

impl<'a> From<&'a Commit> for Payload<'a> {
    fn from(commit: &'a Commit) -> Self {
        let anew = commit.renewal.as_ref().and_then(|renewal| renewal.anew.as_ref());
        Self {
            kind: match &commit.renewal {
                None => EntryKind::Changed,
                Some(Renewal { anew: None, .. }) => EntryKind::Renewed,
                Some(Renewal { anew: Some(_), .. }) => EntryKind::Reauthenticated,
            },
            user: commit.user.as_deref(),
            auth_method: anew.and_then(|anew| anew.sign_in.method.as_deref()),
            related: commit.renewal.as_ref().map(|renewal| renewal.to.reference),
            lifetime: anew.map(|anew| crate::clock::millis(anew.absolute)),
            cleared: commit.delta.clear,
            delta: DeltaView::of(Some(&commit.delta)),
            ..Self::blank(commit.event, commit.at.reference, &commit.context)
        }
    }
}

impl<'a> From<&'a End> for Payload<'a> {
    fn from(end: &'a End) -> Self {
        Self {
            kind: EntryKind::Ended,
            user: end.user.as_deref(),
            reason: Some(end.reason.as_str()),
            ..Self::blank(end.event, end.at.reference, &end.context)
        }
    }
}
