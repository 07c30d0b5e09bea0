//! What the shop does. All that it does with a session is in here, whichever framework calls it.
//!
//! No form carries an anti-CSRF token: the cookie is `SameSite=Lax`, so a browser does not send it with
//! a POST from another site, `origin` refuses one from another origin, and GET changes nothing.

use std::collections::BTreeMap;

use cloakroom::{
    error::Error,
    session::{Key, Login, Session},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    Shop,
    items::{ITEMS, Item},
    page::{Page, escape, price},
};

/// How many there are of each item.
pub(crate) type Cart = BTreeMap<String, u32>;

pub(crate) const CART: Key<Cart> = Key::new("cart");

const MOST: u32 = 99;

/// A form that names an item.
#[derive(Deserialize)]
pub(crate) struct Choice {
    item: String,
    /// The page that the form is on, if not the usual one.
    #[serde(default)]
    from: String,
}

/// A form that names a visitor.
#[derive(Deserialize)]
pub(crate) struct Name {
    name: String,
    /// What the visitor calls this device. Else it is named by its `User-Agent`.
    #[serde(default)]
    device: String,
    #[serde(default)]
    from: String,
}

/// What the client is answered.
pub(crate) enum Answer {
    Page(Page),
    /// 303, so that a reload does not send the form again. The session goes along for `counter`, which
    /// notes what the change has cost.
    See(&'static str, Session),
    Refuse(u16, &'static str),
}

type Answered = Result<Answer, Error>;

pub(crate) fn shelf(session: &Session) -> Answered {
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
    page("Everything for a cloakroom", session, format!("<ul class=\"shelf\">\n{items}</ul>"))
}

pub(crate) fn cart(session: &Session) -> Answered {
    let main = format!("<div id=\"cart\">{}</div>", cart_table(session, "")?);
    page("Your cart", session, main)
}

/// The cart beside other things, and a way to put something into it.
pub(crate) fn cart_panel(session: &Session) -> Result<String, Error> {
    let options: String = ITEMS
        .iter()
        .map(|item| {
            format!("<option value=\"{}\">{}, {}</option>", item.id, escape(item.name), price(item.cents))
        })
        .collect();
    Ok(format!(
        "<p class=\"soft\">Open this page in two tabs, and add in both.</p>{}\
         <form method=\"post\" action=\"/cart/add\" class=\"inline\"><input type=\"hidden\" name=\"from\" \
         value=\"account\"><label for=\"add-item\">Item</label><select id=\"add-item\" name=\"item\">{options}</select>\
         <button>Add</button></form>",
        cart_table(session, "account")?
    ))
}

fn cart_table(session: &Session, from: &str) -> Result<String, Error> {
    let cart = session.get(CART)?.unwrap_or_default();
    let (mut rows, mut sum) = (String::new(), 0);
    for (id, count) in &cart {
        let Some(item) = Item::find(id) else { continue };
        sum += item.cents * count;
        rows.push_str(&format!(
            "<tr data-item=\"{id}\"><th scope=\"row\">{name}</th><td>{count}</td><td class=\"price\">{}</td>\
             <td><form method=\"post\" action=\"/cart/remove\"><input type=\"hidden\" name=\"item\" value=\"{id}\">\
             <input type=\"hidden\" name=\"from\" value=\"{from}\">\
             <button class=\"quiet\" aria-label=\"Take one {name} out\">Remove</button></form></td></tr>\n",
            price(item.cents * count),
            id = item.id,
            name = escape(item.name),
        ));
    }
    if rows.is_empty() {
        return Ok("<p>Nothing in it yet. <a href=\"/\">Look around</a>.</p>".to_owned());
    }
    Ok(format!(
        "<table><thead><tr><th scope=\"col\">Item</th><th scope=\"col\">Count</th>\
         <th scope=\"col\">Price</th><td></td></tr></thead>\n<tbody>{rows}</tbody>\n\
         <tfoot><tr><th scope=\"row\">Together</th><td></td><td class=\"price\">{}</td><td></td></tr></tfoot>\
         </table>",
        price(sum)
    ))
}

pub(crate) fn add(session: &Session, choice: &Choice) -> Answered {
    let Some(item) = Item::find(&choice.item) else { return Ok(NO_SUCH_ITEM) };
    // Two tabs that add at the same time: the later runs again on the cart of the earlier.
    session.update(CART, |cart| {
        let mut cart = cart.unwrap_or_default();
        let count = cart.entry(item.id.to_owned()).or_default();
        *count = (*count + 1).min(MOST);
        cart
    })?;
    Ok(Answer::See(back(&choice.from, "/cart"), session.clone()))
}

pub(crate) fn remove(session: &Session, choice: &Choice) -> Answered {
    let Some(item) = Item::find(&choice.item) else { return Ok(NO_SUCH_ITEM) };
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
    Ok(Answer::See(back(&choice.from, "/cart"), session.clone()))
}

pub(crate) fn sign_in_form(session: &Session) -> Answered {
    page("Sign in", session, name_form(""))
}

pub(crate) fn name_form(from: &str) -> String {
    format!(
        "<p>This is a demo: any name will do, and there is no password. Your cart comes along.</p>\
         <form id=\"sign-in\" method=\"post\" action=\"/sign-in\" class=\"stack\">\
         <input type=\"hidden\" name=\"from\" value=\"{from}\"><label for=\"name\">Name</label>\
         <input id=\"name\" name=\"name\" required maxlength=\"64\" autocomplete=\"username\">\
         <label for=\"device\">Name of this device <small>(optional)</small></label>\
         <input id=\"device\" name=\"device\" maxlength=\"64\" placeholder=\"Kitchen laptop\" autocomplete=\"off\">\
         <button>Sign in</button></form>"
    )
}

pub(crate) fn sign_in(session: &Session, form: &Name) -> Answered {
    let (name, device) = (form.name.trim(), form.device.trim());
    if name.is_empty() || name.chars().count() > 64 || device.chars().count() > 64 {
        return Ok(Answer::Refuse(400, "A name has 1 to 64 characters.\n"));
    }
    // A shop would check a password or a passkey here. The visitor gets a new token either way.
    let mut login = Login::user(name).by("name only").carry([CART.name()]);
    if !device.is_empty() {
        login = login.device(device);
    }
    session.login(login)?;
    Ok(Answer::See(back(&form.from, "/"), session.clone()))
}

/// Where a form leads back to: one of ours, whatever it says.
fn back(from: &str, usual: &'static str) -> &'static str {
    if from == "account" { "/account" } else { usual }
}

pub(crate) fn sign_out(session: &Session) -> Answered {
    session.logout()?;
    Ok(Answer::See("/", session.clone()))
}

/// The session as a script wants it.
pub(crate) fn json(session: &Session, shop: &Shop) -> Result<Value, Error> {
    // Nothing is written, so loading is all that it costs.
    let cost = shop.ledger.so_far();
    Ok(json!({
        "ref": session.reference().map(|reference| reference.to_string()),
        "version": session.version(),
        "user": session.user(),
        "cart": session.get(CART)?.unwrap_or_default(),
        "expires_in_secs": session.expires_in().map(|span| span.as_secs()),
        "store": shop.store.name(),
        "round_trips": if shop.store.is_remote() { cost.round_trips } else { 0 },
    }))
}

const NO_SUCH_ITEM: Answer = Answer::Refuse(404, "There is no such item.\n");

fn page(title: &'static str, session: &Session, main: String) -> Answered {
    Page::new(title, session, main).map(Answer::Page)
}
