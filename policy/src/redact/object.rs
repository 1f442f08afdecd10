//! Secrets in a JSON object of options, as our own functions take it.

use super::OutOfMemory;

/// Values of such an object: the places where they are written, strings without their quotes.
pub type Members = Vec<(Key, (usize, usize))>;

/// A name of an option, as it is after its escapes.
pub type Key = Vec<u8>;

/// The values that are more than `null`, `true` or `false`, each with its key. None if the text is no JSON object, as far as
/// it must be read to tell.
pub fn members(text: &[u8]) -> Result<Option<Members>, OutOfMemory> {
    let mut reader = Reader { text, place: 0 };
    let mut members = Members::new();
    Ok(reader.object(&mut members)?.map(|()| members))
}

struct Reader<'a> {
    text: &'a [u8],
    place: usize,
}

impl Reader<'_> {
    fn object(&mut self, members: &mut Members) -> Result<Option<()>, OutOfMemory> {
        if !self.takes(b'{') {
            return Ok(None);
        }
        if self.takes(b'}') {
            return Ok(self.at_end());
        }
        loop {
            let Some(key) = self.string() else { return Ok(None) };
            let Some(key) = unescaped(self.text.get(key.0..key.1).unwrap_or_default())? else { return Ok(None) };
            if !self.takes(b':') {
                return Ok(None);
            }
            let Some(value) = self.value() else { return Ok(None) };
            let written = self.text.get(value.0..value.1).unwrap_or_default();
            let says_nothing =
                self.text.get(value.1) != Some(&b'"') && [&b"null"[..], b"true", b"false"].contains(&written);
            if !says_nothing {
                members.try_reserve(1).map_err(|_| OutOfMemory)?;
                members.push((key, value));
            }
            if self.takes(b'}') {
                return Ok(self.at_end());
            }
            if !self.takes(b',') {
                return Ok(None);
            }
        }
    }

    fn at_end(&mut self) -> Option<()> {
        self.skip_space();
        (self.place == self.text.len()).then_some(())
    }

    fn skip_space(&mut self) {
        let rest = self.text.get(self.place..).unwrap_or_default();
        self.place += rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    }

    fn takes(&mut self, byte: u8) -> bool {
        self.skip_space();
        let is_there = self.text.get(self.place) == Some(&byte);
        self.place += usize::from(is_there);
        is_there
    }

    /// What stands between the quotes of a string.
    fn string(&mut self) -> Option<(usize, usize)> {
        if !self.takes(b'"') {
            return None;
        }
        let start = self.place;
        loop {
            let found = memchr::memchr2(b'"', b'\\', self.text.get(self.place..)?)?;
            self.place += found + 1;
            if self.text.get(self.place - 1) == Some(&b'"') {
                return Some((start, self.place - 1));
            }
            self.place += 1;
        }
    }

    fn value(&mut self) -> Option<(usize, usize)> {
        self.skip_space();
        match self.text.get(self.place)? {
            b'"' => self.string(),
            b'{' | b'[' => self.nested(),
            _ => {
                let start = self.place;
                let rest = self.text.get(start..)?;
                let length =
                    rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte)).count();
                self.place += length;
                (length > 0).then_some((start, self.place))
            }
        }
    }

    /// An array or an object, which no option has for a value; it is not looked into.
    fn nested(&mut self) -> Option<(usize, usize)> {
        let (start, mut depth) = (self.place, 0_usize);
        loop {
            match self.text.get(self.place)? {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            self.place += 1;
            if depth == 0 {
                return Some((start, self.place));
            }
        }
    }
}

/// A string after its escapes; None if one of them is none of JSON's, or it is too long to be read as a name.
pub fn unescaped(written: &[u8]) -> Result<Option<Vec<u8>>, OutOfMemory> {
    let mut whole = Vec::new();
    whole.try_reserve(written.len() + 2).map_err(|_| OutOfMemory)?;
    if !written.contains(&b'\\') {
        whole.extend_from_slice(written);
        return Ok(Some(whole));
    }
    whole.push(b'"');
    whole.extend_from_slice(written);
    whole.push(b'"');
    Ok(serde_json::from_slice::<String>(&whole).ok().map(String::into_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Option<Vec<(String, String)>> {
        let members = members(text.as_bytes()).unwrap()?;
        let text_of = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Some(members.iter().map(|(key, place)| (text_of(key), text_of(&text.as_bytes()[place.0..place.1]))).collect())
    }

    fn pairs(pairs: &[(&str, &str)]) -> Option<Vec<(String, String)>> {
        Some(pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn values_are_found_by_key() {
        assert_eq!(
            shown(r#"{"a": "x", "b":12 , "c": null, "d": "null"}"#),
            pairs(&[("a", "x"), ("b", "12"), ("d", "null")])
        );
        assert_eq!(
            shown(r#"{"p\u0061ss": "a\"b", "n": {"x": ["}"]}}"#),
            pairs(&[("pass", "a\\\"b"), ("n", r#"{"x": ["}"]}"#)])
        );
        assert_eq!(shown(" {} "), pairs(&[]));
    }

    #[test]
    fn what_is_no_object_is_told() {
        for text in
            ["", "x", "[1]", "{", r#"{"a"}"#, r#"{"a": "x}"#, r#"{"a": 1} x"#, r#"{"a": }"#, r#"{a: 1}"#, "{\"a\": [}"]
        {
            assert_eq!(shown(text), None, "{text}");
        }
    }
}
