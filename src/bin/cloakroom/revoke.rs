//! `cloakroom revoke`

use std::process::ExitCode;

use cloakroom::{audit::RequestContext, record::SessionInfo, session::SessionAdmin, store::Revoked};
use serde_json::{Value, json};

use crate::{
    Context,
    exit::{FOUND, Result},
    keys::Pepper,
    output, progress,
};

/// Arguments.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The user whose sessions are ended, and every sign-in of his that is under way
    #[arg(long, required_unless_present = "everyone", conflicts_with = "everyone")]
    user: Option<String>,
    /// Ends only the session with this handle, as --list shows it
    #[arg(long, requires = "user", conflicts_with = "everyone", allow_hyphen_values = true)]
    handle: Option<String>,
    /// Ends nothing: lists the user's sessions that are alive
    #[arg(long, requires = "user", conflicts_with_all = ["everyone", "handle"])]
    list: bool,
    /// Ends every session of everybody, signed in or not, by raising the epoch
    #[arg(long)]
    everyone: bool,
    /// The application keeps no audit trail, so nothing is told to one
    #[arg(long)]
    no_trail: bool,
    /// The application tells events, so whoever watches is told
    #[arg(long)]
    events: bool,
    #[command(flatten)]
    pepper: Pepper,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(context: &Context, args: Args) -> Result {
    // Not with a count that was given: a mistyped name must not make a namespace.
    let shards = u16::try_from(context.queue().await?.shards()).unwrap_or(u16::MAX);
    let builder = args.pepper.give(context.builder(shards)?)?;
    let store = builder.audit(!args.no_trail).events(args.events).build()?;
    let mut request = RequestContext::default();
    request.route = Some("cloakroom revoke".to_owned());
    let admin = SessionAdmin::new(store).with_context(request);
    let Some(user) = &args.user else { return everyone(&admin, args.json).await };
    if args.list {
        return list(&admin, user, args.json).await;
    }
    let revoked = match &args.handle {
        Some(handle) => admin.revoke(user, handle).await?,
        None => admin.revoke_all(user).await?,
    };
    let ended = match revoked {
        Revoked::Revoked(ended) => ended,
        Revoked::NotFound | Revoked::Gone => 0,
    };
    if args.json {
        output::json(&json!({ "ended": ended }))?;
    } else if ended == 0 {
        output::line("there was no such session; if the application has a pepper, was it given?")?;
    } else {
        output::line(format!("{ended} sessions ended"))?;
    }
    Ok(if ended == 0 { ExitCode::from(FOUND) } else { ExitCode::SUCCESS })
}

async fn everyone(admin: &SessionAdmin, json: bool) -> Result {
    let spinner = progress::spinner("raising the epoch of every shard");
    let epoch = admin.revoke_everyone().await;
    spinner.finish_and_clear();
    let epoch = epoch?;
    if json {
        output::json(&json!({ "epoch": epoch }))?;
    } else {
        output::line(format!("every session that there was is over: the epoch is {epoch} now"))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(admin: &SessionAdmin, user: &str, json: bool) -> Result {
    let sessions = admin.sessions_of(user).await?;
    if json {
        output::json(&sessions.iter().map(session).collect::<Vec<_>>())?;
    } else if sessions.is_empty() {
        output::line("that user has no session; if the application has a pepper, was it given?")?;
    } else {
        let rows: Vec<_> = sessions.iter().map(row).collect();
        output::table(["HANDLE", "BEGAN", "LAST SEEN", "METHOD", "DEVICE", "ADDRESS"], &rows)?;
    }
    Ok(if sessions.is_empty() { ExitCode::from(FOUND) } else { ExitCode::SUCCESS })
}

fn row(session: &SessionInfo) -> [String; 6] {
    [
        session.handle.to_string(),
        output::time(session.created_at),
        output::time(session.last_seen),
        session.authentication.method.clone().unwrap_or_default(),
        session.device.clone().unwrap_or_default(),
        session.address.clone().unwrap_or_default(),
    ]
}

/// As JSON. Names are part of the interface.
fn session(session: &SessionInfo) -> Value {
    json!({
        "handle": session.handle.to_string(),
        "began_at": output::time(session.created_at),
        "last_seen": output::time(session.last_seen),
        "auth_method": session.authentication.method,
        "device": session.device,
        "address": session.address,
    })
}
