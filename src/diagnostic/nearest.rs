//! The name that a person probably meant.

/// The candidate nearest to `name`, if one is near enough that proposing it helps: at most a third
/// of its letters differ.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = name.chars().count();
    let allowed = length.div_ceil(3).max(1);
    candidates
        .into_iter()
        .filter(|candidate| candidate.chars().count().abs_diff(length) <= allowed)
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_of_the_finger_finds_the_known_name() {
        assert_eq!(nearest("upstrems", ["listen", "upstreams"]), Some("upstreams"));
    }

    #[test]
    fn a_name_like_none_finds_nothing() {
        assert_eq!(nearest("zebra", ["listen", "upstreams"]), None);
    }
}
