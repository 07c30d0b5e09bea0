//! `cloakroom explain`

use std::process::ExitCode;

use cloakroom::{
    audit::{HistoryEvent, KeyValue, SessionState, history},
    id::SessionRef,
};
use serde_json::{Value, json};

use crate::{
    Context,
    exit::{FOUND, Failure, Result},
    output, progress,
    time::parse_time,
};

/// Arguments.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The session's ref, as logs and the trail show it; any that it ever had
    #[arg(allow_hyphen_values = true)]
    session: String,
    /// Only what had happened by this time, such as 2026-11-23T05:33:14Z, and what the session held then
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(context: &Context, args: Args) -> Result {
    let Some(session) = SessionRef::parse(&args.session) else {
        return Err(Failure::usage("this is no session's ref: 43 characters of A-Z, a-z, 0-9, '-' and '_'"));
    };
    let pool = context.migrated_pool().await?;
    let until = match &args.at {
        Some(text) => Some(parse_time(&pool, text).await?),
        None => None,
    };
    let spinner = progress::spinner("reading the trail");
    let events = history(&pool, context.namespace(), session, until).await;
    spinner.finish_and_clear();
    let events = events?;
    if args.json {
        output::json(&report(&args.session, &events))?;
    } else if events.is_empty() {
        output::line(format!("the trail knows no such session in the namespace {:?}", context.namespace()))?;
    } else {
        show(&events)?;
        show_state(&SessionState::replay(&events))?;
    }
    Ok(if events.is_empty() { ExitCode::from(FOUND) } else { ExitCode::SUCCESS })
}

fn show(events: &[HistoryEvent]) -> Result<()> {
    let rows: Vec<_> = events.iter().map(row).collect();
    output::table(["TIME", "VERSION", "WHAT", "USER", "REQUEST", "KEYS"], &rows)
}

fn row(event: &HistoryEvent) -> [String; 6] {
    let mut what = event.kind.clone();
    if let Some(reason) = &event.reason {
        what = format!("{what} ({reason})");
    }
    if event.forked {
        what.push_str(" [abandoned]");
    }
    let request = [event.method.as_deref(), event.route.as_deref(), event.client_ip.as_deref()];
    [
        output::time(event.at),
        event.version.map_or_else(|| "?".to_owned(), |version| version.to_string()),
        what,
        event.user.clone().unwrap_or_default(),
        request.into_iter().flatten().collect::<Vec<_>>().join(" "),
        keys(event),
    ]
}

fn keys(event: &HistoryEvent) -> String {
    let mut parts = Vec::new();
    if event.cleared {
        parts.push("all removed".to_owned());
    }
    parts.extend(event.set.iter().map(|(name, value)| format!("{name} = {value}")));
    parts.extend(event.secret.iter().map(|name| format!("{name} = (not told)")));
    parts.extend(event.removed.iter().map(|name| format!("{name} removed")));
    if !event.complete {
        parts.push("(changes that this release cannot read)".to_owned());
    }
    parts.join(", ")
}

fn show_state(state: &SessionState) -> Result<()> {
    let version = state.version.map_or_else(|| "?".to_owned(), |version| version.to_string());
    let end = state.ended.as_ref().map_or(String::new(), |reason| format!(", ended ({reason})"));
    output::line(format!("\nversion {version}{end}"))?;
    for (name, key) in &state.keys {
        let user = key.user.as_deref().unwrap_or("nobody signed in");
        let line = format!("{name} = {}  ({}, {user})", value(&key.value), output::time(key.at));
        output::line(output::visible(&line))?;
    }
    if !state.complete {
        output::line("This may not be all: a version is missing in the trail, or could not be read.")?;
    }
    Ok(())
}

fn value(value: &KeyValue) -> &str {
    match value {
        KeyValue::Json(json) => json,
        KeyValue::Secret => "(not told)",
    }
}

/// As JSON. Names are part of the interface; values are JSON texts, as the session held them.
fn report(session: &str, events: &[HistoryEvent]) -> Value {
    let state = SessionState::replay(events);
    let keys: serde_json::Map<String, Value> = state
        .keys
        .iter()
        .map(|(name, key)| {
            let text = match &key.value {
                KeyValue::Json(json) => Some(json),
                KeyValue::Secret => None,
            };
            let at = output::time(key.at);
            (name.clone(), json!({"json": text, "version": key.version, "at": at, "user": key.user}))
        })
        .collect();
    json!({
        "session": session,
        "events": events.iter().map(event).collect::<Vec<_>>(),
        "state": {
            "version": state.version, "user": state.user, "ended": state.ended,
            "complete": state.complete, "keys": keys,
        },
    })
}

fn event(event: &HistoryEvent) -> Value {
    json!({
        "event_id": event.event.to_string(),
        "previous_event_id": event.predecessor.map(|id| id.to_string()),
        "at": output::time(event.at),
        "ref": event.reference.map(|reference| reference.to_string()),
        "version": event.version,
        "kind": event.kind,
        "reason": event.reason,
        "user": event.user,
        "auth_method": event.auth_method,
        "device": event.device,
        "related": event.related.map(|reference| reference.to_string()),
        "method": event.method,
        "route": event.route,
        "client_ip": event.client_ip,
        "trace_id": event.trace_id,
        "cleared": event.cleared,
        "set": event.set,
        "removed": event.removed,
        "secret": event.secret,
        "complete": event.complete,
        "abandoned": event.forked,
    })
}
