//! `cloakroom sessions`

use std::process::ExitCode;

use cloakroom::audit::{UserSession, sessions_of};
use serde_json::{Value, json};

use crate::{
    Context,
    exit::{FOUND, Result},
    output, progress,
};

/// Arguments.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The user's id, as the application signs users in
    #[arg(long)]
    user: String,
    /// How many at most, the latest first
    #[arg(long, default_value_t = 50)]
    limit: u32,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(context: &Context, args: Args) -> Result {
    let pool = context.migrated_pool().await?;
    let spinner = progress::spinner("reading the trail");
    let sessions = sessions_of(&pool, context.namespace(), &args.user, args.limit).await;
    spinner.finish_and_clear();
    let sessions = sessions?;
    if args.json {
        output::json(&sessions.iter().map(session).collect::<Vec<_>>())?;
    } else if sessions.is_empty() {
        output::line(format!(
            "the trail knows no session of that user in the namespace {:?}",
            context.namespace()
        ))?;
    } else {
        let rows: Vec<_> = sessions.iter().map(row).collect();
        output::table(
            ["SESSION", "BEGAN", "LAST EVENT", "END", "METHOD", "DEVICE", "ADDRESS", "EVENTS"],
            &rows,
        )?;
    }
    Ok(if sessions.is_empty() { ExitCode::from(FOUND) } else { ExitCode::SUCCESS })
}

fn row(session: &UserSession) -> [String; 8] {
    let reason = session.reason.as_deref().unwrap_or("unknown");
    [
        session.last.to_string(),
        output::time(session.began_at),
        output::time(session.last_event_at),
        if session.ended { reason.to_owned() } else { String::new() },
        session.auth_method.clone().unwrap_or_default(),
        session.device.clone().unwrap_or_default(),
        session.client_ip.clone().unwrap_or_default(),
        session.events.to_string(),
    ]
}

/// As JSON. Names are part of the interface.
fn session(session: &UserSession) -> Value {
    json!({
        "session": session.last.to_string(),
        "first_session": session.first.to_string(),
        "began_at": output::time(session.began_at),
        "last_event_at": output::time(session.last_event_at),
        "ended": session.ended,
        "reason": session.reason,
        "auth_method": session.auth_method,
        "device": session.device,
        "client_ip": session.client_ip,
        "events": session.events,
    })
}
