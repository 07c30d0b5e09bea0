//! What a session's hash in Redis says of it, for tests that look behind the store or meddle with it.
#![allow(dead_code, unreachable_pub, reason = "each test crate takes some of it")]

/// Places in the field `m`; first stands what tells it from the others.
pub const EPOCH: usize = 1;
pub const DEADLINE: usize = 2;
pub const CREATED: usize = 3;
pub const CLASS: usize = 4;
pub const AUTHENTICATED: usize = 5;
/// How long it is.
pub const USER: usize = 9;
pub const METHOD: usize = 10;

const SET_DEADLINE: &str = "local m = redis.call('HGET', KEYS[1], 'm')
    return redis.call('HSET', KEYS[1], 'm', (string.gsub(m, '^(m %d+) %d+', '%1 ' .. ARGV[1])))";

/// The command that sets the deadline of the session under this key, in ms.
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

/// An application's key as its hash holds it: the version at which it changed, its name, JSON.
pub fn field(version: u8, name: &str, json: &str) -> String {
    let length = char::from(u8::try_from(name.len()).unwrap());
    format!("\0\0\0\0\0{}{length}{name}{json}", char::from(version))
}

/// Its JSON.
pub fn value<'a>(field: &'a [u8], name: &str) -> &'a str {
    std::str::from_utf8(&field[7 + name.len()..]).unwrap()
}

/// The second halves of the last events' ids, of the field `h`; and the first half of the very last one's.
pub fn recent(heads: &[u8]) -> (&[u8], &[u8]) {
    assert_eq!(heads[0], b'h');
    let (first, recent) = heads[1..].split_at(8);
    (recent, first)
}
