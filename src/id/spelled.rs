//! How 32 bytes are spelled where no memory is to be had for it.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::Token;

/// 32 bytes in unpadded base64url, as long as a token is.
pub(crate) struct Spelled([u8; Token::LEN]);

impl Spelled {
    pub(crate) fn new(bytes: &[u8; 32]) -> Self {
        let mut text = [0; Token::LEN];
        // It fits exactly.
        let _ = URL_SAFE_NO_PAD.encode_slice(bytes, &mut text);
        Self(text)
    }

    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}
