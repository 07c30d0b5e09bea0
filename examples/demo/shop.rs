//! The shop's handlers. All that they do with a session is in here.
//!
//! No form carries an anti-CSRF token: the cookie is `SameSite=Lax`, so a browser does not send it with
//! a POST from another site, and GET changes nothing.

use std::collections::BTreeMap;

use axum::{
    Extension, Form, Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use cloakroom::{
    error::Error,
    session::{Key, Login, Session},
};
use serde::Deserialize;
use serde_json::json;

use crate::{
    Shop,
    items::{ITEMS, Item},
    page::{Page, escape, price},
};

/// How many there are of each item.
pub(crate) type Cart = BTreeMap<String, u32>;

pub(crate) const CART: Key<Cart> = Key::new("cart");

const MOST: u32 = 99;

#[derive(Deserialize)]
pub(crate) struct Choice {
    item: String,
}

#[derive(Deserialize)]
pub(crate) struct Name {
    name: String,
}

pub(crate) async fn shelf(session: Session) -> Result<Page, Error> {
    let item = |item: &Item| {
        format!(
            "<li><h2>{}</h2><p>{}</p><form method=\"post\" action=\"/cart/add\">\
             <input type=\"hidden\" name=\"item\" value=\"{}\"><span class=\"price\">{}</span>\
             <button aria-label=\"Put {} into the cart\">Into the cart</button></form></li>\n",
            escape(item.name),
            escape(item.about),
            item.id,
            price(item.cents),
            escape(item.name)
        )
    };
    let items: String = ITEMS.iter().map(item).collect();
    Page::new("Everything for a cloakroom", &session, format!("<ul class=\"shelf\">\n{items}</ul>"))
}

pub(crate) async fn cart(session: Session) -> Result<Page, Error> {
    let cart = session.get(CART)?.unwrap_or_default();
    let (mut rows, mut sum) = (String::new(), 0);
    for (id, count) in &cart {
        let Some(item) = Item::find(id) else { continue };
        sum += item.cents * count;
        rows.push_str(&format!(
            "<tr><th scope=\"row\">{name}</th><td>{count}</td><td class=\"price\">{}</td>\
             <td><form method=\"post\" action=\"/cart/remove\"><input type=\"hidden\" name=\"item\" value=\"{}\">\
             <button aria-label=\"Take one {name} out\">Remove one</button></form></td></tr>\n",
            price(item.cents * count),
            item.id,
            name = escape(item.name),
        ));
    }
    let main = if rows.is_empty() {
        "<p>Nothing in it yet. <a href=\"/\">Look around</a>.</p>".to_owned()
    } else {
        format!(
            "<table><thead><tr><th scope=\"col\">Item</th><th scope=\"col\">Count</th>\
             <th scope=\"col\">Price</th><td></td></tr></thead>\n<tbody>{rows}</tbody>\n\
             <tfoot><tr><th scope=\"row\">Together</th><td></td><td class=\"price\">{}</td><td></td></tr></tfoot>\
             </table>",
            price(sum)
        )
    };
    Page::new("Your cart", &session, main)
}

pub(crate) async fn add(session: Session, Form(choice): Form<Choice>) -> Result<Response, Error> {
    let Some(item) = Item::find(&choice.item) else { return Ok(no_such_item()) };
    // Two tabs that add at the same time: the later runs again on the cart of the earlier.
    session.update(CART, |cart| {
        let mut cart = cart.unwrap_or_default();
        let count = cart.entry(item.id.to_owned()).or_default();
        *count = (*count + 1).min(MOST);
        cart
    })?;
    Ok(see("/cart", session))
}

pub(crate) async fn remove(session: Session, Form(choice): Form<Choice>) -> Result<Response, Error> {
    let Some(item) = Item::find(&choice.item) else { return Ok(no_such_item()) };
    if session.contains(CART.name())? {
        session.update(CART, |cart| {
            let mut cart = cart.unwrap_or_default();
            if let Some(count) = cart.get_mut(item.id) {
                *count = count.saturating_sub(1);
            }
            cart.retain(|_, count| *count > 0);
            cart
        })?;
    }
    Ok(see("/cart", session))
}

pub(crate) async fn sign_in_form(session: Session) -> Result<Page, Error> {
    let form = "<p>This is a demo: any name will do, and there is no password. Your cart comes along.</p>\
                <form method=\"post\" action=\"/sign-in\" class=\"stack\"><label for=\"name\">Name</label>\
                <input id=\"name\" name=\"name\" required maxlength=\"64\" autocomplete=\"username\">\
                <button>Sign in</button></form>";
    Page::new("Sign in", &session, form.to_owned())
}

pub(crate) async fn sign_in(session: Session, Form(form): Form<Name>) -> Result<Response, Error> {
    let name = form.name.trim();
    if name.is_empty() || name.chars().count() > 64 {
        return Ok((StatusCode::BAD_REQUEST, "A name has 1 to 64 characters.\n").into_response());
    }
    // A shop would check a password or a passkey here. The visitor gets a new token either way.
    session.login(Login::user(name).by("name only").carry([CART.name()]))?;
    Ok(see("/", session))
}

pub(crate) async fn sign_out(session: Session) -> Result<Response, Error> {
    session.logout()?;
    Ok(see("/", session))
}

/// The session as a script wants it.
pub(crate) async fn json(session: Session, State(shop): State<Shop>) -> Result<Response, Error> {
    // Nothing is written, so loading is all that it costs.
    let cost = shop.ledger.so_far();
    Ok(Json(json!({
        "ref": session.reference().map(|reference| reference.to_string()),
        "version": session.version(),
        "user": session.user(),
        "cart": session.get(CART)?.unwrap_or_default(),
        "expires_in_secs": session.expires_in().map(|span| span.as_secs()),
        "store": shop.store.name(),
        "round_trips": if shop.store.is_remote() { cost.round_trips } else { 0 },
    }))
    .into_response())
}

fn no_such_item() -> Response {
    (StatusCode::NOT_FOUND, "There is no such item.\n").into_response()
}

/// 303, so that a reload does not send the form again. The session goes along for `counter`, which notes
/// what the change has cost.
fn see(path: &str, session: Session) -> Response {
    (Extension(session), Redirect::to(path)).into_response()
}
