//! A visitor's devices: the list, and ending them.

use cloakroom::{error::Error, record::SessionInfo, session::Session, store::Revoked};
use serde::Deserialize;

use crate::{
    page::escape,
    shop::Answer,
    trail::{day_and_time, now},
};

/// A form that names a session.
#[derive(Deserialize)]
pub(crate) struct Handle {
    handle: String,
}

/// Also of another user's session, which must not be told from none.
const NO_SUCH_DEVICE: Answer = Answer::Refuse(404, "There is no such device.\n");

pub(crate) async fn revoke(session: &Session, form: &Handle) -> Result<Answer, Error> {
    if session.user().is_none() {
        return Ok(Answer::See("/sign-in", session.clone()));
    }
    Ok(match session.revoke(&form.handle).await? {
        Revoked::NotFound => NO_SUCH_DEVICE,
        _ => Answer::See("/account", session.clone()),
    })
}

pub(crate) async fn sign_out_others(session: &Session) -> Result<Answer, Error> {
    if session.user().is_some() {
        // However many there were, and if this one has just ended itself: then the next page says so.
        let _ = session.revoke_others().await?;
    }
    Ok(Answer::See("/account", session.clone()))
}

pub(crate) async fn sign_out_everywhere(session: &Session) -> Result<Answer, Error> {
    if session.user().is_some() {
        let _ = session.revoke_all().await?;
    }
    Ok(Answer::See("/account", session.clone()))
}

pub(crate) fn list(sessions: &[SessionInfo]) -> String {
    let items: String = sessions.iter().map(item).collect();
    let others = if sessions.len() > 1 { "" } else { " disabled" };
    format!(
        "<ul class=\"devices\">\n{items}</ul>\n<div class=\"actions\">\
         <form id=\"sign-out-others\" method=\"post\" action=\"/account/sign-out-others\">\
         <button class=\"quiet\"{others}>Sign out all others</button></form>\
         <form id=\"sign-out-everywhere\" method=\"post\" action=\"/account/sign-out-everywhere\">\
         <button class=\"danger\">Sign out everywhere</button></form></div>"
    )
}

fn item(info: &SessionInfo) -> String {
    let device = escape(info.device.as_deref().unwrap_or("Unknown device"));
    let address = escape(info.address.as_deref().unwrap_or("unknown"));
    let method = escape(info.authentication.method.as_deref().unwrap_or("unknown"));
    let seen = ago(now().saturating_sub(info.last_seen.as_millis()));
    let (badge, button) = if info.current {
        ("<strong class=\"badge\">This device</strong>", String::new())
    } else {
        let form = format!(
            "<form method=\"post\" action=\"/account/revoke\"><input type=\"hidden\" name=\"handle\" value=\"{}\">\
             <button class=\"quiet\" aria-label=\"Sign out {device}\">Sign out</button></form>",
            escape(&info.handle.to_string())
        );
        ("", form)
    };
    format!(
        "<li><h3>{device} {badge}</h3>{button}<dl><div><dt>Signed in</dt><dd>{}</dd></div>\
         <div><dt>Last seen</dt><dd>{seen}</dd></div><div><dt>Network</dt><dd>{address}</dd></div>\
         <div><dt>By</dt><dd>{method}</dd></div></dl></li>\n",
        day_and_time(info.created_at.as_millis())
    )
}

fn ago(millis: u64) -> String {
    match millis / 1000 {
        0..=4 => "just now".to_owned(),
        seconds @ 5..=119 => format!("{seconds} s ago"),
        seconds @ 120..=7199 => format!("{} min ago", seconds / 60),
        seconds => format!("{} h ago", seconds / 3600),
    }
}
