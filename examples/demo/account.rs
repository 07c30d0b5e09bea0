//! The page on which a visitor sees what the shop knows of him, as it happens.

use cloakroom::{error::Error, session::Session};

use crate::{
    Shop, chart, devices,
    page::{self, Page, escape},
    shop::{self, Answer},
    trail::{Queue, Whose},
};

pub(crate) async fn show(session: &Session, shop: &Shop) -> Result<Answer, Error> {
    if let Some(bare) = &shop.bare {
        bare.measure(&shop.timings).await;
    }
    let user = session.user();
    let devices = match &user {
        Some(_) => devices::list(&session.sessions().await?),
        None => format!(
            "<p class=\"soft\">Sign in to see where you are signed in.</p>{}",
            shop::name_form("account")
        ),
    };
    let whose = match (user, session.reference()) {
        (Some(user), _) => Whose::User(user),
        (None, Some(session)) => Whose::Session(session),
        (None, None) => Whose::Nobody,
    };
    let (latest, queue) = tokio::join!(shop.trail.of(&whose), shop.trail.queue());
    let cart = shop::cart_panel(session)?;
    let trail = page::own_trail(&latest);
    let latency = chart::latency(&shop.timings.so_far(), shop.store.is_remote());
    let left = section("devices", "Your devices", &devices) + &section("feed", "What happens now", FEED);
    let right = section("cart", "Your cart", &cart)
        + &section("latency", "What a request costs", &latency)
        + &section("queue", "Trail queue", &queue_facts(queue.as_ref()));
    let main = format!(
        "<div class=\"board\">\n<div class=\"column\">\n{left}</div>\n<div class=\"column\">\n{right}</div>\n{}</div>",
        section("trail", "Your trail", &trail)
    );
    Page::new("Your account", session, main).map(Answer::Page)
}

/// The script fills it.
const FEED: &str = "<p class=\"soft\" data-state>With script this list fills by itself; without, reload the page.</p>\
    <ol class=\"feed\" data-feed aria-live=\"polite\" aria-relevant=\"additions\"></ol>";

fn section(id: &str, title: &str, inside: &str) -> String {
    format!(
        "<section id=\"{id}\" class=\"card\" aria-labelledby=\"{id}-title\"><h2 id=\"{id}-title\">{title}</h2>\n\
         {inside}\n</section>\n"
    )
}

fn queue_facts(queue: Option<&Queue>) -> String {
    let Some(queue) = queue else {
        return "<p class=\"soft\">Nothing waits: this trail is in no queue.</p>".to_owned();
    };
    let oldest = queue.oldest.map_or_else(|| "none".to_owned(), |span| format!("{} ms", span.as_millis()));
    let facts = [
        ("Waiting", queue.entries.to_string(), queue.entries > 1000),
        ("Oldest", oldest, queue.oldest.is_some_and(|span| span.as_secs() > 10)),
        ("Dead letters", queue.dead.to_string(), queue.dead > 0),
        ("Left out", queue.shed.to_string(), queue.shed > 0),
    ];
    let facts: String = facts
        .iter()
        .map(|(name, fact, alarm)| {
            let class = if *alarm { " class=\"alarm\"" } else { "" };
            format!("<div{class}><dt>{name}</dt><dd>{}</dd></div>", escape(fact))
        })
        .collect();
    format!(
        "<p class=\"soft\">Entries on their way from Redis to PostgreSQL, as <code>cloakroom status</code> tells them.\
         </p><dl class=\"tiles\">{facts}</dl>"
    )
}
