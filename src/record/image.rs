//! What a store keeps of a session besides what it means.

use std::{any::Any, fmt, sync::Arc};

/// A session as its store keeps it, for the store's eyes only. Whoever loaded it gives it back with a commit, so that
/// the store need not look at, or make again, what did not change. A store that has no use for it leaves it empty.
///
/// It is no part of what the session is: any two are equal. `Debug` shows nothing of it, since values may be secrets.
///
/// ```
/// use cloakroom::record::Image;
///
/// struct Row(u64);
///
/// let image = Image::new(Row(7));
/// assert_eq!(image.get::<Row>().unwrap().0, 7);
/// assert!(image.get::<u64>().is_none());
/// assert!(Image::default().get::<Row>().is_none());
/// ```
#[derive(Clone, Default)]
pub struct Image(Option<Arc<dyn Any + Send + Sync>>);

impl Image {
    /// An image that is this.
    ///
    /// It has to say of which state of the session it is: a commit on another one must not be made from it.
    pub fn new<T: Any + Send + Sync>(kept: T) -> Self {
        Self(Some(Arc::new(kept)))
    }

    /// What the image is. `None` if it is empty, or something else: another store's.
    pub fn get<T: Any>(&self) -> Option<&T> {
        self.0.as_deref()?.downcast_ref()
    }
}

impl PartialEq for Image {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Image(..)" } else { "Image" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing_of_it() {
        assert_eq!(format!("{:?} {:?}", Image::new("hunter2"), Image::default()), "Image(..) Image");
    }
}
