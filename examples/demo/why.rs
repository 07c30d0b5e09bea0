//! Events and ends in words for people.

use cloakroom::{
    audit::EntryKind,
    events::SessionEvent,
    record::{EndReason, Ended},
};

/// "You were signed out because …", for whoever holds the token of a session that is over.
pub(crate) fn signed_out(ended: &Ended) -> String {
    let device = ended.device.as_deref();
    let because = match ended.reason {
        EndReason::RevokedByUser => match device {
            Some(device) => format!("it was asked for on {device}"),
            None => "it was asked for on one of your devices".to_owned(),
        },
        EndReason::Evicted => match device {
            Some(device) => format!("you have signed in on {device}, and there are no more places"),
            None => "you have signed in elsewhere, and there are no more places".to_owned(),
        },
        EndReason::Idle => "you were away for too long".to_owned(),
        EndReason::Absolute => "nobody stays signed in for ever".to_owned(),
        EndReason::RevokedByAdmin => "the staff of this shop ended your session".to_owned(),
        EndReason::Replayed => {
            "an old token of this session was used again: somebody may have a copy".to_owned()
        }
        EndReason::Epoch => "all sessions of this shop were ended".to_owned(),
        EndReason::LoggedOut | EndReason::Destroyed => "you signed out in another tab".to_owned(),
        // Not signed out at all: moved on.
        EndReason::Replaced => {
            return "You have signed in in another tab. This one goes on after a reload.".to_owned();
        }
        _ => return "This session is over.".to_owned(),
    };
    format!("You were signed out because {because}.")
}

/// One line of the feed. `here` is whether it is about the session that reads it.
pub(crate) fn happened(event: &SessionEvent, here: bool) -> String {
    let whose = if here { "This session" } else { "Another of your sessions" };
    match event.kind {
        EntryKind::Created => format!("{whose} began"),
        EntryKind::SignedIn if here => "You signed in".to_owned(),
        EntryKind::SignedIn => "You signed in elsewhere".to_owned(),
        EntryKind::Changed if event.keys.is_empty() => format!("{whose} changed"),
        EntryKind::Changed => {
            let more = if event.more { ", …" } else { "" };
            format!("{whose} changed: {}{more}", event.keys.join(", "))
        }
        EntryKind::Renewed => format!("{whose} has a new token"),
        EntryKind::Reauthenticated => format!("{whose} was confirmed"),
        EntryKind::Ended => {
            let reason = event.reason.unwrap_or(EndReason::Unknown).as_str().replace('_', " ");
            format!("{whose} ended: {reason}")
        }
        _ => "All sessions of this shop were ended".to_owned(),
    }
}
