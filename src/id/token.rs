//! The bearer secret.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use zeroize::Zeroize;

use super::{Address, SessionRef, Shard};
use crate::error::{Error, ErrorKind};

/// Index into the table of idle timeouts, carried in the token so that a load knows which TTL to
/// refresh before it has read the session. 0 to 15; class 0 is the default timeout, and those without a name
/// are as class 0.
///
/// It can't be chosen by whoever holds the token: another class makes another token, of which nothing is
/// stored. So it also says of which kind a session is, where no key that a handler writes can.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdleClass(u8);

impl IdleClass {
    /// How many classes there are.
    pub const COUNT: usize = 16;

    /// Of sign-ins that are remembered over the end of the browser, see
    /// [`Grade::Remembered`](crate::session::Grade::Remembered).
    pub const REMEMBERED: Self = Self(1);

    /// Of sessions that wait for a second factor, see
    /// [`login_pending`](crate::session::Session::login_pending).
    pub const PENDING: Self = Self(2);

    /// The class with this index, or `None` above 15.
    pub const fn new(index: u8) -> Option<Self> {
        if index < Self::COUNT as u8 { Some(Self(index)) } else { None }
    }

    /// The index, 0 to 15.
    pub const fn index(self) -> u8 {
        self.0
    }
}

/// What the client holds, and nobody else: 256 bits from the operating system's generator.
///
/// Its first 12 bits are the [`Shard`], the next 4 the [`IdleClass`], the other 240 are random; they
/// say where a session lives and nothing about whose it is. There is one spelling: 43 characters of
/// unpadded base64url with the two bits left over at the end zero. Every other text is no token, so
/// that a cookie can't be varied to slip past a block list (ASVS 7.2.2, OWASP session cheat sheet).
///
/// A token has no `Display`, its `Debug` hides it, and its bytes are wiped when it is dropped.
///
/// ```
/// use cloakroom::id::Token;
///
/// assert!(Token::parse(b"not a token").is_none());
/// let text = "A".repeat(43);
/// let token = Token::parse(text.as_bytes()).unwrap();
/// assert_eq!(format!("{token:?}"), "Token(…)");
/// // The last character carries four bits of the token and two that must be zero.
/// assert!(Token::parse(format!("{}B", "A".repeat(42)).as_bytes()).is_none());
/// ```
#[derive(Clone)]
pub struct Token([u8; Token::BYTES]);

impl Token {
    /// Length of the spelled token, in characters.
    pub const LEN: usize = 43;
    const BYTES: usize = 32;

    /// Reads the one canonical spelling; everything else is `None`.
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.len() != Self::LEN {
            return None;
        }
        let mut bytes = [0; Self::BYTES];
        // The engine refuses padding, foreign alphabets and trailing bits that aren't zero.
        match URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) {
            Ok(Self::BYTES) => Some(Self(bytes)),
            _ => None,
        }
    }

    /// A fresh token for this shard and idle class.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Random`] when the operating system's generator fails; there is no second source.
    pub(crate) fn generate(shard: Shard, class: IdleClass, random: RandomSource) -> Result<Self, Error> {
        let mut bytes = [0; Self::BYTES];
        random(&mut bytes).map_err(|error| Error::new(ErrorKind::Random, error))?;
        let [first, second, ..] = &mut bytes;
        let place = (shard.index() << 4) | u16::from(class.index());
        [*first, *second] = place.to_be_bytes();
        Ok(Self(bytes))
    }

    /// The spelling for the cookie. The caller must not let it reach anything else.
    pub(crate) fn expose(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// Where the session lives.
    pub fn shard(&self) -> Shard {
        let [first, second, ..] = self.0;
        Shard::from_index(u16::from_be_bytes([first, second]) >> 4)
    }

    /// Which idle timeout it has.
    pub fn idle_class(&self) -> IdleClass {
        let [_, second, ..] = self.0;
        IdleClass(second & 0x0f)
    }

    /// All that a store needs to know of this token: its hash and its place.
    pub fn address(&self) -> Address {
        Address { reference: SessionRef::of(&self.0), shard: self.shard(), class: self.idle_class() }
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Where random bytes come from. Only tests pass another one than [`system_random`].
pub(crate) type RandomSource = fn(&mut [u8]) -> Result<(), getrandom::Error>;

/// The operating system's generator.
pub(crate) fn system_random(bytes: &mut [u8]) -> Result<(), getrandom::Error> {
    getrandom::fill(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_token() -> Token {
        Token::generate(Shard::from_index(0), IdleClass::default(), system_random).unwrap()
    }

    #[test]
    fn a_token_carries_its_shard_and_class() {
        for (shard, class) in [(0, 0), (1, 15), (63, 1), (4095, 7)] {
            let shard = Shard::from_index(shard);
            let class = IdleClass::new(class).unwrap();
            let token = Token::generate(shard, class, system_random).unwrap();
            let read = Token::parse(token.expose().as_bytes()).unwrap();
            assert_eq!((read.shard(), read.idle_class()), (shard, class));
            assert_eq!(read.address(), token.address());
        }
    }

    #[test]
    fn without_random_bytes_there_is_no_token() {
        let failing: RandomSource = |_| Err(getrandom::Error::UNSUPPORTED);
        let error = Token::generate(Shard::from_index(0), IdleClass::default(), failing).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Random);
    }

    /// CVE-2021-3538, RUSTSEC-2024-0343: a short read or a small alphabet passes unnoticed unless
    /// every bit and every character is looked at.
    #[test]
    fn every_random_bit_is_used() {
        const N: usize = 20_000;
        let mut ones = [0_u32; 256];
        let mut letters = vec![std::collections::HashSet::new(); Token::LEN];
        let mut seen = std::collections::HashSet::new();
        for _ in 0..N {
            let token = any_token();
            for (bit, count) in ones.iter_mut().enumerate() {
                *count += u32::from(token.0[bit / 8] >> (7 - bit % 8) & 1);
            }
            let text = token.expose();
            for (set, letter) in letters.iter_mut().zip(text.bytes()) {
                set.insert(letter);
            }
            assert!(seen.insert(text), "a token came twice");
        }
        // Five standard deviations of a fair coin: sqrt(N)/2 * 5.
        let (mean, slack) = (N as f64 / 2.0, (N as f64).sqrt() * 2.5);
        for (bit, count) in ones.iter().enumerate().skip(16) {
            assert!((f64::from(*count) - mean).abs() < slack, "bit {bit} was set {count} times of {N}");
        }
        for (place, set) in letters.iter().enumerate().take(42).skip(3) {
            assert_eq!(set.len(), 64, "character {place}");
        }
        assert_eq!(letters[42].len(), 16, "the last character carries four bits");
    }

    proptest! {
        #[test]
        fn only_the_canonical_spelling_is_read(bytes in any::<[u8; 32]>(), at in 0..43_usize, other in any::<u8>()) {
            let text = Token(bytes).expose();
            prop_assert_eq!(Token::parse(text.as_bytes()).unwrap().0, bytes);
            let mut varied = text.clone().into_bytes();
            varied[at] = other;
            // Whatever is still read is another token: no two spellings share one.
            if let Some(read) = Token::parse(&varied) {
                prop_assert_eq!(read.0 == bytes, varied == text.as_bytes());
            }
        }

        #[test]
        fn any_other_length_is_refused(text in "[A-Za-z0-9_-]{0,42}|[A-Za-z0-9_-]{44,60}") {
            prop_assert!(Token::parse(text.as_bytes()).is_none());
        }
    }

    #[test]
    fn padded_foreign_and_non_canonical_spellings_are_refused() {
        let text = format!("{}A", "Z".repeat(42));
        assert!(Token::parse(text.as_bytes()).is_some());
        for alias in ["B", "C", "D"] {
            assert!(Token::parse(format!("{}{alias}", "Z".repeat(42)).as_bytes()).is_none(), "{alias}");
        }
        for bad in [
            format!("{text}="),
            text.replace("ZZ", "+/"),
            format!(" {}", &text[..42]),
            format!("{}\0", &text[..42]),
        ] {
            assert!(Token::parse(bad.as_bytes()).is_none(), "{bad:?}");
        }
    }
}
