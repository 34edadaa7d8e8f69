//! The nearest known name, for "did you mean".

/// The candidate that `name` was most likely meant to be, if one is near enough to be worth naming.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Nobody mistypes something this long, and the distance is quadratic in it.
    if name.len() > 128 {
        return None;
    }
    let plain = |text: &str| text.to_ascii_lowercase().replace(['_', '-'], "");
    let meant = plain(name);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&meant, &plain(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len().min(name.len()) / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn names_what_was_meant_and_stays_silent_otherwise() {
        let known = ["HealthcheckAssert", "FileExistsAssert", "depends_on", "url"];
        for (name, expected) in [
            ("HealthCheckAssert", Some("HealthcheckAssert")),
            ("FileExistAssert", Some("FileExistsAssert")),
            ("dependsOn", Some("depends_on")),
            ("ulr", Some("url")),
            ("image", None),
            ("", None),
        ] {
            assert_eq!(nearest(name, known), expected, "{name}");
        }
    }
}
