//! How alike two names are, for whoever misspelt one.

/// From this likeness on, one name may be a slip of the pen for the other.
const SLIP: f64 = 0.8;

/// How alike two names are, from 0 to 1 (Jaro-Winkler).
pub(crate) fn likeness(name: &str, other: &str) -> f64 {
    strsim::jaro_winkler(name, other)
}

/// The valid name that comes nearest.
pub(crate) fn nearest<'a>(name: &str, valid: &[&'a str]) -> Option<&'a str> {
    let score = |other: &str| likeness(name, other);
    valid
        .iter()
        .copied()
        .max_by(|a, b| score(a).total_cmp(&score(b)))
}

/// The valid name that may have been meant, if one is like enough.
pub(crate) fn meant<'a>(name: &str, valid: &[&'a str]) -> Option<&'a str> {
    nearest(name, valid).filter(|near| likeness(name, near) > SLIP)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_slip_of_the_pen_is_meant() {
        assert_eq!(meant("clik", &["scroll", "click"]), Some("click"));
        assert_eq!(meant("bogus", &["close_tab", "click"]), None);
        assert_eq!(meant("", &["click"]), None);
    }
}
