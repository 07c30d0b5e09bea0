//! Nothing but tests: whoever works on the crate itself needs no browser.
