//! The place of the actix-web 4 adapter, which is not written yet. It will be a thin skin over
//! [`manager`](crate::manager), as [`service`](crate::service) is.
