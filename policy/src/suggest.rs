//! "Perhaps you meant": the nearest of the words that are known.

/// The known word nearest to `word`, when it is near enough that a slip of the keys explains the difference.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (word.chars().count() / 3).clamp(1, 3);
    let folded = word.to_lowercase();
    known
        .into_iter()
        .filter(|candidate| *candidate != word)
        .map(|candidate| (strsim::damerau_levenshtein(&folded, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `, perhaps you meant "x"`, or nothing.
pub(crate) fn perhaps<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, known).map(|near| format!(", perhaps you meant \"{near}\"")).unwrap_or_default()
}

/// `"x" is not a known form, perhaps you meant "y"`; without a near word, every known one.
pub(crate) fn unknown<'a>(what: &str, word: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    let word = crate::secret::escaped(word);
    match nearest(&word, known.clone()) {
        Some(near) => format!("\"{word}\" is not a known {what}, perhaps you meant \"{near}\""),
        None => format!("\"{word}\" is not a known {what}; known are {}", quoted_list(known)),
    }
}

/// `"a", "b", "c"`.
pub(crate) fn quoted_list<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_suggested_and_a_distant_one_is_not() {
        let known = ["sslmode", "sslcert", "host"];
        assert_eq!(nearest("sslmod", known), Some("sslmode"));
        assert_eq!(nearest("SSLMODE", known), Some("sslmode"));
        assert_eq!(nearest("hsot", known), Some("host"));
        assert_eq!(nearest("dbname", known), None);
        assert_eq!(nearest("host", known), None);
    }
}
