//! The value of a property that a filter leaves for later filters.

use std::any::Any;
use std::ops::Deref;
use std::rc::Rc;

/// The value of a property: its bytes and, if the maker has it, the value that the bytes state.
///
/// Whoever handles the property in the maker's own event takes the value as it is, and does not
/// parse the bytes again. A clone shares both. Two properties are equal if their bytes are.
#[derive(Clone)]
pub struct Property {
    bytes: Rc<[u8]>,
    stated: Option<Rc<dyn Any>>,
}

impl Property {
    /// Makes a property whose `bytes` state `value`.
    #[must_use]
    pub fn stating<T: 'static>(value: Rc<T>, bytes: &[u8]) -> Self {
        Self { bytes: bytes.into(), stated: Some(value) }
    }

    /// Returns the value that the bytes state, if the maker gave one of this type.
    #[must_use]
    pub fn stated<T: 'static>(&self) -> Option<Rc<T>> {
        self.stated.clone()?.downcast().ok()
    }
}

impl From<Vec<u8>> for Property {
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes: bytes.into(), stated: None }
    }
}

impl Deref for Property {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl std::fmt::Debug for Property {
    /// Leaves the bytes out, because they may hold a credential.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Property").finish_non_exhaustive()
    }
}

impl PartialEq for Property {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Property {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_property_hands_over_the_value_that_its_maker_gave_and_no_other_type() {
        let made = Property::stating(Rc::new(7_u32), b"7");
        assert_eq!(made.stated::<u32>().as_deref(), Some(&7));
        assert_eq!(made.stated::<u64>(), None);
        assert_eq!(Property::from(b"7".to_vec()).stated::<u32>(), None);
        assert_eq!(made, Property::from(b"7".to_vec()), "the bytes are what is compared");
    }
}
