//! Whether a form was sent by a page of ours.
//!
//! The cookie is `SameSite=Lax`, so no other *site* sends it along with a POST. But every port of this machine is
//! the same site, and so is every subdomain of a shop: what else a browser tells of the sender closes that.

/// What a request tells of the page that it came from.
pub(crate) struct Sender<'a> {
    /// `Sec-Fetch-Site`: no script can set it.
    pub(crate) fetch_site: Option<&'a [u8]>,
    pub(crate) origin: Option<&'a [u8]>,
    pub(crate) host: Option<&'a [u8]>,
}

pub(crate) const REFUSED: &str = "This form was not sent by a page of this shop.\n";

impl Sender<'_> {
    /// No browser leaves both out of a POST. Whoever sends neither is no browser, and carries nobody's cookies
    /// but his own.
    pub(crate) fn is_ours(&self) -> bool {
        match (self.fetch_site, self.origin) {
            (Some(site), _) => matches!(site, b"same-origin" | b"none"),
            (None, Some(origin)) => {
                let place = origin.strip_prefix(b"http://").or_else(|| origin.strip_prefix(b"https://"));
                place.is_some() && place == self.host
            }
            (None, None) => true,
        }
    }
}
