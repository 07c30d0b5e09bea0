//! HTML by hand.

use cloakroom::{error::Error, record::EndReason, session::Session};

use crate::{
    costs::Cost,
    shop::CART,
    trail::{Latest, Line},
    why,
};

/// A page without its frame. `counter` puts the frame around it when the session is committed, so that
/// the footer can tell what the whole request has cost.
#[derive(Clone)]
pub(crate) struct Page {
    title: &'static str,
    main: String,
    in_cart: u32,
    session: Session,
}

impl Page {
    pub(crate) fn new(title: &'static str, session: &Session, main: String) -> Result<Self, Error> {
        // The notice is shown once: the cookie of a session that is over goes with it. Not if the session went on under
        // another token: the browser has that by now, or is about to, and this answer must not come between.
        if session.ended().is_some_and(|ended| ended.reason != EndReason::Replaced) {
            session.logout()?;
        }
        let in_cart = session.get(CART)?.unwrap_or_default().values().sum();
        Ok(Self { title, main, in_cart, session: session.clone() })
    }

    pub(crate) fn session(&self) -> &Session {
        &self.session
    }

    /// `cost` is this request's; `before` that of the last change; `remote` whether there is a network.
    pub(crate) fn render(&self, store: &str, remote: bool, cost: Cost, before: Option<Cost>) -> String {
        let user = self.session.user();
        let who = match &user {
            Some(user) => format!(
                "<span data-own>{}</span> <form data-own method=\"post\" action=\"/sign-out\"><button>Sign out</button></form>",
                escape(user)
            ),
            None => "<a href=\"/sign-in\">Sign in</a>".to_owned(),
        };
        let cart = format!(
            "<a href=\"/account\">Account</a> <a href=\"/cart\" id=\"cart-count\" data-own>Cart ({})</a>",
            self.in_cart
        );
        let none = || "none yet".to_owned();
        let session = self.session.reference().map(|reference| reference.to_string()).unwrap_or_default();
        let reference = if session.is_empty() { none() } else { session.clone() };
        let version = self.session.version().map_or_else(none, |version| version.to_string());
        let expires = self.session.expires_in().map_or_else(none, |span| format!("{} s", span.as_secs()));
        let place = if remote { "" } else { " (on Redis; the embedded store has none)" };
        let mut facts = vec![
            ("Session", reference),
            ("Version", version),
            ("User", user.unwrap_or_else(|| "nobody".to_owned())),
            ("Expires in", expires),
            ("Store", store.to_owned()),
            ("This page", format!("{cost}{place}")),
        ];
        facts.extend(before.map(|cost| ("Your last change", format!("{cost}{place}"))));
        let facts: String = facts
            .iter()
            .map(|(name, fact)| format!("<div><dt>{name}</dt><dd>{}</dd></div>\n", escape(fact)))
            .collect();
        let why = self.session.ended().map_or_else(
            || "<p id=\"why\" class=\"trouble\" role=\"status\" hidden></p>".to_owned(),
            |ended| {
                format!(
                    "<p id=\"why\" class=\"trouble\" role=\"status\">{}</p>",
                    escape(&why::signed_out(&ended))
                )
            },
        );
        // What is the visitor's own: the script takes it away when the session ends.
        let main = format!("{why}\n<div data-own data-session=\"{session}\">{}</div>", self.main);
        frame(self.title, LIVE, &format!("{cart} {who}"), &main, &format!("<dl data-own>\n{facts}</dl>"))
    }
}

/// The last lines of the trail. It reloads itself, and is not behind the session layer: a tab that is left
/// open must not keep a session alive.
pub(crate) fn trail(latest: &Latest) -> String {
    let mut main = String::from(
        "<p>Every change of every session, the newest first; times are UTC. In a shop of your own this page \
         is for the staff. It reloads every two seconds.</p>\n",
    );
    if let Some(trouble) = latest.trouble {
        main.push_str(&format!("<p class=\"trouble\" role=\"status\">{}</p>\n", escape(trouble)));
    }
    if let Some(waiting) = latest.waiting {
        main.push_str(&format!("<p>On their way from Redis: {waiting}.</p>\n"));
    }
    let rows: String = latest.lines.iter().map(row).collect();
    main.push_str(&format!(
        "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Audit trail\"><table><thead><tr>\
         <th scope=\"col\">Time</th><th scope=\"col\">Session</th><th scope=\"col\">Version</th>\
         <th scope=\"col\">Kind</th><th scope=\"col\">User</th><th scope=\"col\">Detail</th>\
         <th scope=\"col\">Request</th><th scope=\"col\">In PostgreSQL after</th></tr></thead>\n\
         <tbody>{rows}</tbody></table></div>"
    ));
    frame("Audit trail", RELOAD, "", &main, "")
}

/// The visitor's own part of it.
pub(crate) fn own_trail(latest: &Latest) -> String {
    if let Some(trouble) = latest.trouble {
        return format!("<p class=\"soft\">{}</p>", escape(trouble));
    }
    if latest.lines.is_empty() {
        return "<p class=\"soft\">Nothing yet.</p>".to_owned();
    }
    let row = |line: &Line| {
        let after = line.arrived_after.map(|millis| format!("{millis} ms")).unwrap_or_default();
        let cells = [&line.at, &line.kind, &line.version, &line.detail, &line.request, &after];
        let cells: String = cells.into_iter().map(|cell| format!("<td>{}</td>", escape(cell))).collect();
        format!("<tr>{cells}</tr>\n")
    };
    let rows: String = latest.lines.iter().map(row).collect();
    format!(
        "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Your trail, a table\"><table><thead><tr>\
         <th scope=\"col\">Time, UTC</th><th scope=\"col\">Kind</th><th scope=\"col\">Version</th>\
         <th scope=\"col\">Detail</th><th scope=\"col\">Request</th><th scope=\"col\">Stored after</th></tr></thead>\n\
         <tbody>{rows}</tbody></table></div>"
    )
}

fn row(line: &Line) -> String {
    let short: String = line.reference.chars().take(8).collect();
    let after = line.arrived_after.map(|millis| format!("{millis} ms")).unwrap_or_default();
    let cells =
        [&line.at, &short, &line.version, &line.kind, &line.user, &line.detail, &line.request, &after];
    let cells: String = cells.into_iter().map(|cell| format!("<td>{}</td>", escape(cell))).collect();
    format!("<tr>{cells}</tr>\n")
}

/// In the place of the layer's own answer, for a browser. A page that can't be shown asks again by itself;
/// a form is not sent again unasked.
pub(crate) fn refusal(sentence: &str, reload: bool) -> String {
    let main = format!("<p role=\"alert\">{}</p><p><a href=\"/\">To the shop</a></p>", escape(sentence));
    frame("One moment", if reload { RELOAD } else { "" }, "", &main, "")
}

/// Sections with ids are brought up to date while they are looked at, and nothing stays when the session ends.
const LIVE: &str = "<script src=\"/script.js\" defer></script>\n";

const RELOAD: &str = "<meta http-equiv=\"refresh\" content=\"2\">\n";

fn frame(title: &str, head: &str, nav: &str, main: &str, footer: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n{head}\
         <title>{title} – cloakroom demo</title>\n<link rel=\"icon\" href=\"/icon.svg\">\n\
         <link rel=\"stylesheet\" href=\"/style.css\">\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#main\">To the content</a>\n<header><a href=\"/\" class=\"sign\">cloakroom</a>\n\
         <nav aria-label=\"Shop\"><a href=\"/trail\">Trail</a> {nav}</nav></header>\n\
         <main id=\"main\">\n<h1>{title}</h1>\n{main}\n</main>\n<footer>{footer}</footer>\n</body>\n</html>\n"
    )
}

/// `€12.50`.
pub(crate) fn price(cents: u32) -> String {
    format!("€{}.{:02}", cents / 100, cents % 100)
}

/// For text and for attributes in double quotes.
pub(crate) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}
