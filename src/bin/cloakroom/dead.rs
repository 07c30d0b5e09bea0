//! `cloakroom dead`

use std::process::ExitCode;

use clap::Subcommand;
use cloakroom::audit::{AuditQueue, DeadLetter, DeadLetterId};
use serde::Serialize;

use crate::{
    Context,
    exit::{FOUND, Result},
    output, progress,
};

/// Arguments.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Lists dead letters, ordered by shard and age
    List {
        /// Begins behind this one, the last of the page before
        #[arg(long, value_name = "LETTER")]
        after: Option<DeadLetterId>,
        /// How many at most
        #[arg(long, default_value_t = 50)]
        limit: usize,
        /// Prints JSON
        #[arg(long)]
        json: bool,
    },
    /// Shows one, with its payload: it may hold session values
    Show {
        /// Its name, as the list shows it
        letter: DeadLetterId,
        /// Prints JSON
        #[arg(long)]
        json: bool,
    },
    /// Puts letters back into the queue, once what was wrong is mended
    Retry {
        /// Their names
        #[arg(required_unless_present = "all")]
        letters: Vec<DeadLetterId>,
        /// All that there are at this moment
        #[arg(long, conflicts_with = "letters")]
        all: bool,
        /// Prints JSON
        #[arg(long)]
        json: bool,
    },
    /// Deletes letters for good: their sessions' histories keep a gap
    Drop {
        /// Their names; there is no way to drop all
        #[arg(required = true)]
        letters: Vec<DeadLetterId>,
        /// Prints JSON
        #[arg(long)]
        json: bool,
    },
}

pub(crate) async fn run(context: &Context, args: Args) -> Result {
    let queue = context.queue().await?;
    match args.action {
        Action::List { after, limit, json } => list(&queue, after, limit, json).await,
        Action::Show { letter, json } => show(&queue, letter, json).await,
        Action::Retry { letters, all, json } => {
            let letters = if all { all_letters(&queue).await? } else { letters };
            let mut done = Done::default();
            let bar = progress::bar(u64::try_from(letters.len()).unwrap_or(u64::MAX), "putting back");
            for letter in letters {
                done.note(letter, queue.retry_dead(letter).await?);
                bar.inc(1);
            }
            bar.finish_and_clear();
            if all && !json {
                output::line(format!("{} letters are back in the queue", done.done.len()))?;
                return Ok(ExitCode::SUCCESS);
            }
            done.tell("is back in the queue", json)
        }
        Action::Drop { letters, json } => {
            let mut done = Done::default();
            for letter in letters {
                done.note(letter, queue.drop_dead(letter).await?);
            }
            done.tell("is dropped", json)
        }
    }
}

/// What was done. Names are part of the interface.
#[derive(Default, Serialize)]
struct Done {
    done: Vec<String>,
    missing: Vec<String>,
}

impl Done {
    fn note(&mut self, letter: DeadLetterId, done: bool) {
        if done { &mut self.done } else { &mut self.missing }.push(letter.to_string());
    }

    fn tell(&self, what: &str, json: bool) -> Result {
        if json {
            output::json(self)?;
        } else {
            for letter in &self.done {
                output::line(format!("{letter} {what}"))?;
            }
            for letter in &self.missing {
                output::line(no_letter(letter))?;
            }
        }
        Ok(code(self.missing.is_empty()))
    }
}

fn no_letter(name: impl std::fmt::Display) -> String {
    format!("{name} is no dead letter")
}

fn code(clean: bool) -> ExitCode {
    if clean { ExitCode::SUCCESS } else { ExitCode::from(FOUND) }
}

async fn list(queue: &AuditQueue, after: Option<DeadLetterId>, limit: usize, json: bool) -> Result {
    let letters = queue.list_dead(after, limit).await?;
    if json {
        output::json(&letters.iter().map(Letter::brief).collect::<Vec<_>>())?;
    } else if letters.is_empty() {
        output::line("no dead letters")?;
    } else {
        let rows: Vec<_> = letters.iter().map(row).collect();
        output::table(["LETTER", "DIED", "KIND", "USER", "TRIES", "ERROR"], &rows)?;
    }
    Ok(code(letters.is_empty()))
}

fn row(letter: &DeadLetter) -> [String; 6] {
    let payload = letter.parse();
    let payload = payload.as_ref();
    [
        letter.id.to_string(),
        output::time(letter.died_at),
        payload.map_or("?", |payload| &payload.kind).to_owned(),
        payload.and_then(|payload| payload.user.clone()).unwrap_or_default(),
        letter.attempts.to_string(),
        letter.error.clone(),
    ]
}

async fn show(queue: &AuditQueue, name: DeadLetterId, json: bool) -> Result {
    let Some(letter) = queue.dead_letter(name).await? else {
        if json {
            output::json(&None::<Letter>)?;
        } else {
            output::line(no_letter(name))?;
        }
        return Ok(code(false));
    };
    let whole = Letter::whole(&letter);
    if json {
        output::json(&whole)?;
    } else {
        for (name, value) in [
            ("letter", whole.letter.as_str()),
            ("changed at", &whole.occurred_at),
            ("died at", &whole.died_at),
            ("attempts", &whole.attempts.to_string()),
            ("error", &whole.error),
            ("stream id", &whole.stream_id),
            ("payload", whole.payload.as_deref().unwrap_or_default()),
        ] {
            output::line(format!("{name:<12}{}", output::visible(value)))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// All that there are now. Those that die later are left for another time: a letter that is refused again must
/// not be put back in a circle.
async fn all_letters(queue: &AuditQueue) -> Result<Vec<DeadLetterId>> {
    let mut letters: Vec<DeadLetterId> = Vec::new();
    loop {
        let page = queue.list_dead(letters.last().copied(), 500).await?;
        if page.is_empty() {
            return Ok(letters);
        }
        letters.extend(page.iter().map(|letter| letter.id));
    }
}

/// A letter as JSON. Names are part of the interface.
#[derive(Serialize)]
struct Letter {
    letter: String,
    shard: u16,
    stream_id: String,
    occurred_at: String,
    died_at: String,
    attempts: u32,
    error: String,
    version: Option<u64>,
    kind: Option<String>,
    session: Option<String>,
    user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<String>,
}

impl Letter {
    fn brief(letter: &DeadLetter) -> Self {
        let parsed = letter.parse();
        let parsed = parsed.as_ref();
        Self {
            letter: letter.id.to_string(),
            shard: letter.id.shard().index(),
            stream_id: letter.stream_id.clone(),
            occurred_at: output::time(letter.occurred_at),
            died_at: output::time(letter.died_at),
            attempts: letter.attempts,
            error: letter.error.clone(),
            version: letter.version,
            kind: parsed.map(|parsed| parsed.kind.to_string()),
            session: parsed.map(|parsed| parsed.reference.to_string()),
            user: parsed.and_then(|parsed| parsed.user.clone()),
            payload: None,
        }
    }

    fn whole(letter: &DeadLetter) -> Self {
        let payload = String::from_utf8_lossy(&letter.payload).into_owned();
        Self { payload: Some(payload), ..Self::brief(letter) }
    }
}
