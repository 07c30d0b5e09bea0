//! What a session's hash in Redis says of it, for tests that look behind the store or meddle with it.
#![allow(dead_code, unreachable_pub, reason = "each test crate takes some of it")]

use std::collections::BTreeMap;

/// Places in the field `m`; first stands what tells it from the others.
pub const EPOCH: usize = 1;
pub const DEADLINE: usize = 2;
pub const CREATED: usize = 3;
pub const CLASS: usize = 4;
pub const AUTHENTICATED: usize = 5;
/// How long it is.
pub const USER: usize = 9;
pub const METHOD: usize = 10;

const SET_DEADLINE: &str = "local was = redis.call('HMGET', KEYS[1], 'm', 'h')
    return redis.call('HSET', KEYS[1], 'm', (string.gsub(was[1], '^(m %d+) %d+', '%1 ' .. ARGV[1])),
        'h', (string.gsub(was[2], '^h', 'h0')))";

/// The command that sets the deadline of the session under this key, in ms. What changes a session changes `h`: here
/// the version is spelled otherwise.
pub fn set_deadline<'a>(key: &'a str, deadline: &'a str) -> [&'a str; 5] {
    ["EVAL", SET_DEADLINE, "1", key, deadline]
}

/// The word at `place`.
pub fn word(meta: &str, place: usize) -> &str {
    meta.split(' ').nth(place).unwrap()
}

pub fn number(meta: &str, place: usize) -> u64 {
    word(meta, place).parse().unwrap()
}

/// The same with another word there.
pub fn with(meta: &str, place: usize, new: &str) -> String {
    let mut words: Vec<_> = meta.split(' ').collect();
    words[place] = new;
    words.join(" ")
}

fn texts(meta: &str) -> (&str, &str, &str) {
    let texts = meta.splitn(12, ' ').nth(11).unwrap();
    let (user, texts) = texts.split_at(word(meta, USER).parse().unwrap());
    let (method, device) = texts.split_at(word(meta, METHOD).parse().unwrap());
    (user, method, device)
}

pub fn user(meta: &str) -> &str {
    texts(meta).0
}

pub fn method(meta: &str) -> &str {
    texts(meta).1
}

pub fn with_user(meta: &str, new: &str) -> String {
    let (_, method, device) = texts(meta);
    let words = meta.splitn(10, ' ').take(9).collect::<Vec<_>>().join(" ");
    format!("{words} {} {} {new}{method}{device}", new.len(), method.len())
}

/// What begins the field `p`.
pub const PACKED: &str = "p";

/// A small value as the field `p` holds it: the version at which it changed, its name, JSON.
pub fn small(version: u8, name: &str, json: &str) -> String {
    laid_out(version, name, u8::try_from(json.len()).unwrap(), json)
}

/// A value as a field of its own holds it.
pub fn own(version: u8, name: &str, json: &str) -> String {
    laid_out(version, name, 0, json)
}

fn laid_out(version: u8, name: &str, length: u8, json: &str) -> String {
    let of_name = u8::try_from(name.len()).unwrap();
    format!("\0\0\0\0\0{}{}{}{name}{json}", char::from(version), char::from(of_name), char::from(length))
}

/// The version and the JSON of each value in the field `p`.
pub fn values(packed: &[u8]) -> BTreeMap<String, (u64, String)> {
    let (mark, mut rest) = packed.split_at(1);
    assert_eq!(mark, PACKED.as_bytes());
    let mut values = BTreeMap::new();
    while let [version @ .., _, _] = rest.get(..8).unwrap_or_default() {
        let version = version.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        let (name, value) = (usize::from(rest[6]), usize::from(rest[7]));
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        values.insert(text(&rest[8..8 + name]), (version, text(&rest[8 + name..8 + name + value])));
        rest = &rest[8 + name + value..];
    }
    assert!(rest.is_empty());
    values
}

/// Of the field `h`: the version, the last event's id, and how many events it remembers.
pub fn heads(heads: &[u8]) -> (u64, [u8; 16], usize) {
    let space = heads.iter().position(|byte| *byte == b' ').unwrap();
    let version = std::str::from_utf8(heads[..space].strip_prefix(b"h").unwrap()).unwrap();
    let rest = &heads[space + 1..];
    (version.parse().unwrap(), *rest.first_chunk().unwrap(), (rest.len() - 8) / 8)
}
