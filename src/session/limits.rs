//! How much a session may hold.

use crate::{
    error::{Error, ErrorKind, Result},
    record::{FieldName, Json},
    store::MAX_CHANGES,
};

/// What a session may hold. A write beyond it is refused at once, naming the key, so that it never
/// becomes a failed commit. Sessions are for state, not for documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// All names and values together, in bytes of JSON. Default: 65,536.
    pub bytes: usize,
    /// The number of keys. Default: 256; at most 1,750 count, whatever this says, so that one commit can
    /// remove all and write as many anew (see [`MAX_CHANGES`](crate::store::MAX_CHANGES)).
    pub keys: usize,
    /// How deep arrays and objects nest. Default: 32.
    pub depth: usize,
}

impl Limits {
    /// Sets the limit of bytes.
    #[must_use]
    pub const fn with_bytes(mut self, bytes: usize) -> Self {
        self.bytes = bytes;
        self
    }

    /// Sets the limit of keys.
    #[must_use]
    pub const fn with_keys(mut self, keys: usize) -> Self {
        self.keys = keys;
        self
    }

    /// Sets the limit of nesting.
    #[must_use]
    pub const fn with_depth(mut self, depth: usize) -> Self {
        self.depth = depth;
        self
    }

    /// Checks one value, given what the session holds besides it.
    pub(super) fn check(
        &self,
        name: &FieldName,
        value: &Json,
        other_keys: usize,
        other_bytes: usize,
    ) -> Result<()> {
        let refuse =
            |what: String| Err(Error::msg(ErrorKind::Limit, format!("session key {name:?}: {what}")));
        let bytes = other_bytes + name.as_str().len() + value.as_str().len();
        if bytes > self.bytes {
            return refuse(format!(
                "a value of {} bytes would make the session {bytes} bytes, and {} are allowed",
                value.as_str().len(),
                self.bytes
            ));
        }
        let most = self.keys.min(MAX_CHANGES / 2);
        if other_keys + 1 > most {
            return refuse(format!("it would be key number {}, and {most} are allowed", other_keys + 1));
        }
        let depth = depth(value.as_str());
        if depth > self.depth {
            return refuse(format!("a value nested {depth} deep, and {} are allowed", self.depth));
        }
        Ok(())
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 64 * 1024, keys: 256, depth: 32 }
    }
}

/// How deep the brackets of a JSON text nest.
fn depth(json: &str) -> usize {
    let (mut now, mut most, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                now += 1;
                most = most.max(now);
            }
            b']' | b'}' if !in_string => now = now.saturating_sub(1),
            _ => {}
        }
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_counts_brackets_outside_strings() {
        for (json, expected) in
            [("1", 0), ("[]", 1), (r#"{"a":[1,[2]],"b":{}}"#, 3), (r#""[[[""#, 0), (r#"["\"[",[]]"#, 2)]
        {
            assert_eq!(depth(json), expected, "{json}");
        }
    }

    #[test]
    fn each_limit_holds_to_the_byte() {
        let limits = Limits::default().with_bytes(10).with_keys(2).with_depth(1);
        let name = FieldName::new("key").unwrap();
        let value = |text: &str| Json::from_text(text);
        assert!(limits.check(&name, &value("1234567"), 0, 0).is_ok());
        for (json, keys, bytes) in [("12345678", 0, 0), ("1234567", 0, 1), ("1", 2, 0), ("[[]]", 0, 0)] {
            let error = limits.check(&name, &value(json), keys, bytes).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Limit);
            assert!(error.to_string().contains("\"key\""), "{error}");
        }
        let limits = Limits::default().with_keys(usize::MAX);
        assert!(limits.check(&name, &value("1"), 1749, 0).is_ok());
        assert!(limits.check(&name, &value("1"), 1750, 0).is_err(), "more than a store can change at a time");
    }
}
