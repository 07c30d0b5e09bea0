//! Writing `Set-Cookie`.

use std::{borrow::Cow, time::Duration};

use cookie::Cookie;

use crate::{
    error::{Error, ErrorKind, Result},
    id::{IdleClass, Token},
};

/// When a browser sends the cookie along with requests from other sites.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SameSite {
    /// Never, not even when a link is followed: a visitor who comes by a link seems signed out.
    Strict,
    /// With top-level navigation only.
    #[default]
    Lax,
    /// Always. Every form of CSRF is the application's to prevent then.
    None,
}

/// How the session cookie looks. Made by [`builder`](Self::builder), which refuses combinations that
/// a browser would drop or that weaken the cookie unnoticed.
///
/// ```
/// use cloakroom::cookie::CookieConfig;
///
/// let error = CookieConfig::builder().domain("example.com").build().unwrap_err();
/// assert!(error.to_string().contains("__Host-"));
///
/// let shared = CookieConfig::builder().name("__Secure-id").domain("example.com").build()?;
/// assert_eq!(shared.name(), "__Secure-id");
/// # Ok::<(), cloakroom::error::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct CookieConfig {
    name: Cow<'static, str>,
    /// Everything behind the value, from `; ` on.
    attributes: String,
    /// The whole line that removes the cookie.
    removal: String,
    max_age: Option<Duration>,
    loopback_only: bool,
}

/// Builds a [`CookieConfig`].
#[derive(Clone, Debug)]
#[must_use = "call `build()`"]
pub struct CookieBuilder {
    name: Cow<'static, str>,
    domain: Option<String>,
    path: String,
    same_site: SameSite,
    secure: bool,
    max_age: Option<Duration>,
    partitioned: bool,
}

/// Browsers cap a cookie's life here (RFC 6265bis §5.5), so a longer one would only look longer.
const MAX_AGE: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// Browsers drop a longer attribute (RFC 6265bis §5.6).
const MAX_ATTRIBUTE: usize = 1024;

/// Prefixes with a meaning of their own, and whether they forbid `Domain` and other paths.
const PREFIXES: [(&str, bool); 4] =
    [("__Host-Http-", true), ("__Host-", true), ("__Http-", false), ("__Secure-", false)];

impl CookieConfig {
    /// The default cookie's name.
    pub const NAME: &'static str = "__Host-Http-id";

    /// Starts from the safe defaults, see the [module](super).
    pub fn builder() -> CookieBuilder {
        CookieBuilder {
            name: Cow::Borrowed(Self::NAME),
            domain: None,
            path: "/".to_owned(),
            same_site: SameSite::Lax,
            secure: true,
            max_age: None,
            partitioned: false,
        }
    }

    /// A cookie named `id` without `Secure`, for plain HTTP on this machine while developing.
    ///
    /// The layer answers requests for any other host than `localhost`, `*.localhost`, `127.0.0.0/8`
    /// and `[::1]` with 400 Bad Request, so that this can't go into production unnoticed.
    pub fn insecure_for_local_development() -> Self {
        CookieBuilder { name: Cow::Borrowed("id"), secure: false, ..Self::builder() }.assemble(true)
    }

    /// The cookie's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether only loopback hosts are served.
    pub const fn is_loopback_only(&self) -> bool {
        self.loopback_only
    }

    /// The `Set-Cookie` value that hands out a token.
    pub(crate) fn issue(&self, token: &Token, remaining: Duration) -> String {
        let mut line = format!("{}={}{}", self.name, token.expose(), self.attributes);
        // A remembered session is one that outlives the browser, whatever the others do.
        let remembered = (token.idle_class() == IdleClass::REMEMBERED).then_some(MAX_AGE);
        if let Some(max_age) = remembered.or(self.max_age) {
            // Never longer than the session can live: the server decides, the browser only forgets.
            line.push_str(&format!("; Max-Age={}", max_age.min(remaining).as_secs()));
        }
        line
    }

    /// The `Set-Cookie` value that removes the cookie: same name, path and attributes, or else a
    /// browser keeps a `__Host-` cookie.
    pub(crate) fn remove(&self) -> &str {
        &self.removal
    }
}

impl Default for CookieConfig {
    fn default() -> Self {
        Self::builder().assemble(false)
    }
}

impl CookieBuilder {
    /// The cookie's name. A prefix (`__Host-Http-`, `__Host-`, `__Http-`, `__Secure-`) brings its rules
    /// along. Default: `__Host-Http-id`.
    pub fn name(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.name = name.into();
        self
    }

    /// Sends the cookie to this domain and all its subdomains, each of which can then read it and set
    /// it. Default: the exact host only.
    pub fn domain(mut self, domain: impl Into<String>) -> Self {
        self.domain = Some(domain.into());
        self
    }

    /// Sends the cookie below this path only; that is no protection from other paths of the host.
    /// Default: `/`.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Default: [`SameSite::Lax`].
    pub fn same_site(mut self, same_site: SameSite) -> Self {
        self.same_site = same_site;
        self
    }

    /// Keeps the cookie of *every* session over the end of the browser, up to 400 days and never longer than
    /// the session's absolute lifetime. Default: until the browser is closed, but for sessions that are
    /// [remembered](crate::session::Login::remembered), which have their whole lifetime here.
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = Some(max_age.min(MAX_AGE));
        self
    }

    /// Keeps one cookie for each top-level site that embeds this one (CHIPS). Needs
    /// [`SameSite::None`]. Default: off.
    pub fn partitioned(mut self) -> Self {
        self.partitioned = true;
        self
    }

    /// Checks the combination.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`], saying which settings contradict each other and what to do.
    pub fn build(self) -> Result<CookieConfig> {
        let refuse = |message: String| Err(Error::msg(ErrorKind::Config, message));
        let name = &*self.name;
        if name.is_empty() || name.len() > 128 || !name.bytes().all(is_token_byte) {
            return refuse(format!(
                "cookie name {name:?}: 1 to 128 letters, digits or one of !#$%&'*+-.^_`|~ (RFC 6265)"
            ));
        }
        for (prefix, host_only) in PREFIXES {
            let Some(start) = name.get(..prefix.len()) else { continue };
            if !start.eq_ignore_ascii_case(prefix) {
                continue;
            }
            if start != prefix {
                return refuse(format!("cookie name {name:?}: the prefix is spelled {prefix:?}"));
            }
            if host_only && self.domain.is_some() {
                return refuse(format!(
                    "cookie name {name:?} forbids a domain: take a name such as __Secure-id, or no domain"
                ));
            }
            if host_only && self.path != "/" {
                return refuse(format!(
                    "cookie name {name:?} needs the path \"/\": take a name such as __Secure-id"
                ));
            }
            break;
        }
        if let Some(domain) = &self.domain {
            let labels = domain.trim_start_matches('.').split('.');
            let valid = |label: &str| {
                !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            };
            if domain.len() > MAX_ATTRIBUTE.min(253) || !labels.clone().all(valid) || labels.count() < 2 {
                return refuse(format!("cookie domain {domain:?}: give a host name such as example.com"));
            }
        }
        let plain = |byte: u8| byte.is_ascii_graphic() && byte != b';' && byte != b',';
        if !self.path.starts_with('/') || self.path.len() > MAX_ATTRIBUTE || !self.path.bytes().all(plain) {
            return refuse(format!(
                "cookie path {:?}: begins with '/' and has at most {MAX_ATTRIBUTE} visible characters, no ';' or ','",
                self.path.chars().take(64).collect::<String>()
            ));
        }
        if self.partitioned && self.same_site != SameSite::None {
            return refuse("a partitioned cookie needs SameSite::None".to_owned());
        }
        if self.max_age.is_some_and(|age| age.as_secs() == 0) {
            return refuse("a max_age under one second removes the cookie at once".to_owned());
        }
        Ok(self.assemble(false))
    }

    fn assemble(self, loopback_only: bool) -> CookieConfig {
        let cookie = |value: &'static str| {
            let mut cookie = Cookie::build((self.name.clone(), value))
                .path(self.path.clone())
                .secure(self.secure)
                .http_only(true)
                .partitioned(self.partitioned)
                .same_site(match self.same_site {
                    SameSite::Strict => cookie::SameSite::Strict,
                    SameSite::Lax => cookie::SameSite::Lax,
                    SameSite::None => cookie::SameSite::None,
                });
            if let Some(domain) = &self.domain {
                cookie = cookie.domain(domain.clone());
            }
            cookie.build()
        };
        let line = cookie("").to_string();
        let attributes = line.get(self.name.len() + 1..).unwrap_or_default().to_owned();
        let mut removal = cookie("");
        removal.make_removal();
        CookieConfig {
            attributes,
            removal: removal.to_string(),
            max_age: self.max_age,
            loopback_only,
            name: self.name,
        }
    }
}

/// `tchar` of RFC 9110 §5.6.2.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn token() -> Token {
        Token::parse(format!("{}A", "x".repeat(42)).as_bytes()).unwrap()
    }

    fn issued(config: &CookieConfig) -> String {
        config.issue(&token(), DAY).replace(&"x".repeat(42), "TOKEN")
    }

    #[test]
    fn each_configuration_to_the_letter() {
        let default = CookieConfig::default();
        assert_eq!(issued(&default), "__Host-Http-id=TOKENA; HttpOnly; SameSite=Lax; Secure; Path=/");
        assert!(
            default
                .remove()
                .starts_with("__Host-Http-id=; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=0; Expires="),
            "{}",
            default.remove()
        );
        let local = CookieConfig::insecure_for_local_development();
        assert_eq!(issued(&local), "id=TOKENA; HttpOnly; SameSite=Lax; Path=/");
        assert!(local.is_loopback_only() && !default.is_loopback_only());
        let builder = CookieConfig::builder;
        let wide =
            builder().name("__Secure-s").domain("example.com").path("/app").same_site(SameSite::Strict);
        assert_eq!(
            issued(&wide.build().unwrap()),
            "__Secure-s=TOKENA; HttpOnly; SameSite=Strict; Secure; Path=/app; Domain=example.com"
        );
        let embedded = builder().same_site(SameSite::None).partitioned().build().unwrap();
        assert_eq!(
            issued(&embedded),
            "__Host-Http-id=TOKENA; HttpOnly; SameSite=None; Partitioned; Secure; Path=/"
        );
    }

    #[test]
    fn max_age_is_capped_by_the_browser_and_by_the_session() {
        let config = CookieConfig::builder().max_age(1000 * DAY).build().unwrap();
        assert!(config.issue(&token(), 2000 * DAY).ends_with("; Max-Age=34560000"));
        assert!(config.issue(&token(), DAY).ends_with("; Max-Age=86400"));
    }

    #[test]
    fn wrong_combinations_are_refused_with_a_reason() {
        let builder = CookieConfig::builder;
        for (wrong, reason) in [
            (builder().domain("example.com"), "forbids a domain"),
            (builder().path("/app"), "needs the path"),
            (builder().name("__HOST-id"), "is spelled"),
            (builder().name("__host-http-id"), "is spelled"),
            (builder().name("__secure-id"), "is spelled"),
            (builder().name(""), "letters, digits"),
            (builder().name("a b"), "letters, digits"),
            (builder().name("id=x; Domain=evil"), "letters, digits"),
            (builder().name("id").domain("evil.com; Path=/x"), "host name"),
            (builder().name("id").domain("com"), "host name"),
            (builder().name("id").path("/x; Domain=evil.com"), "begins with"),
            (builder().name("id").path("app"), "begins with"),
            (builder().name("id").path(format!("/{}", "p".repeat(1024))), "begins with"),
            (builder().partitioned(), "SameSite::None"),
            (builder().max_age(Duration::ZERO), "under one second"),
        ] {
            let error = wrong.clone().build().expect_err("must be refused");
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.to_string().contains(reason), "{wrong:?}: {error}");
        }
    }

    #[test]
    fn every_config_fits_a_browser() {
        assert!(issued(&CookieConfig::default()).len() < 120);
    }
}
