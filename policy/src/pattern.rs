//! Patterns for names, as psql's `\d` commands take them: `*` is any sequence of characters, `?` any one, letters
//! are folded to lower case unless they stand in double quotes. `!` before a pattern makes it exclude.

use thiserror::Error;

/// What is wrong with a pattern.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum PatternError {
    #[error("the list is empty and would match nothing; say {{*}} to match everything")]
    EmptyList,
    #[error("an empty pattern matches no name; say * to match every name")]
    Empty,
    #[error("pattern {pattern:?} has an unbalanced double quote")]
    Unbalanced { pattern: String },
    #[error("pattern {pattern:?} has a dot, but this is one name; put a dot that belongs to the name in double quotes")]
    Dot { pattern: String },
    #[error("pattern {pattern:?} has too many dots; expected \"relation\" or \"schema.relation\"")]
    Dots { pattern: String },
    #[error("pattern {pattern:?} has {character:?}, which is no wildcard here; put it in double quotes to mean itself")]
    Special { pattern: String, character: char },
}

/// Characters that psql hands on to its regular expressions. Nobody who writes one into a pattern means the
/// character itself, so we would match something other than was meant.
const SPECIAL: &str = "[]()|+^${}\\";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    AnySequence,
    AnyCharacter,
    Character(char),
}

/// The pattern of one name. Most are every name or one name, which are told without a search.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Any,
    Literal(String),
    Glob(Vec<Token>),
}

impl Part {
    fn new(tokens: Vec<Token>) -> Self {
        if tokens.iter().all(|token| *token == Token::AnySequence) {
            return Self::Any;
        }
        let letter = |token: &Token| if let Token::Character(character) = token { Some(*character) } else { None };
        tokens.iter().map(letter).collect::<Option<String>>().map_or(Self::Glob(tokens), Self::Literal)
    }

    fn fits(&self, name: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Literal(literal) => literal == name,
            Self::Glob(tokens) => {
                let name: Vec<char> = name.chars().collect();
                glob(tokens, &name, |token, character| {
                    *token == Token::AnyCharacter || *token == Token::Character(*character)
                })
            }
        }
    }

    /// Whether every name that fits this fits the other too. Where it says no, that may be so all the same.
    fn is_within(&self, other: &Self) -> bool {
        match (self, other) {
            (_, Self::Any) => true,
            (Self::Literal(name), other) => other.fits(name),
            // Held against its tokens as if they were a name: what stands for any sequence fits nothing else.
            (Self::Glob(tokens), Self::Glob(wider)) => glob(wider, tokens, |token, narrower| {
                token == narrower || (*token == Token::AnyCharacter && *narrower != Token::AnySequence)
            }),
            (Self::Any | Self::Glob(_), _) => false,
        }
    }
}

/// One pattern, of one name or of `schema.name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    excludes: bool,
    parts: Vec<Part>,
}

impl Pattern {
    /// Parses the pattern of one name.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let pattern = Self::parse_qualified(text)?;
        if pattern.parts.len() > 1 {
            return Err(PatternError::Dot { pattern: text.to_owned() });
        }
        Ok(pattern)
    }

    /// Parses the pattern of a name that `schema.` may precede.
    pub fn parse_qualified(text: &str) -> Result<Self, PatternError> {
        let (excludes, body) = text.strip_prefix('!').map_or((false, text), |body| (true, body));
        let parts = Self::parts(body, text)?;
        if parts.iter().any(Vec::is_empty) {
            return Err(PatternError::Empty);
        }
        if parts.len() > 2 {
            return Err(PatternError::Dots { pattern: text.to_owned() });
        }
        Ok(Self { excludes, parts: parts.into_iter().map(Part::new).collect() })
    }

    fn parts(body: &str, text: &str) -> Result<Vec<Vec<Token>>, PatternError> {
        let mut done = Vec::new();
        let mut part = Vec::new();
        let mut quoted = false;
        let mut characters = body.chars().peekable();
        while let Some(character) = characters.next() {
            match character {
                '"' if quoted && characters.next_if_eq(&'"').is_some() => part.push(Token::Character('"')),
                '"' => quoted = !quoted,
                '.' if !quoted => done.push(std::mem::take(&mut part)),
                _ if quoted => part.push(Token::Character(character)),
                _ => part.push(Self::unquoted(character, text)?),
            }
        }
        if quoted {
            return Err(PatternError::Unbalanced { pattern: text.to_owned() });
        }
        done.push(part);
        Ok(done)
    }

    fn unquoted(character: char, text: &str) -> Result<Token, PatternError> {
        match character {
            '*' => Ok(Token::AnySequence),
            '?' => Ok(Token::AnyCharacter),
            _ if SPECIAL.contains(character) => Err(PatternError::Special { pattern: text.to_owned(), character }),
            _ => Ok(Token::Character(character.to_ascii_lowercase())),
        }
    }

    /// Whether the name fits, `!` aside. A pattern without a schema fits the name in every schema.
    fn fits(&self, name: &[&str]) -> bool {
        name.len() >= self.parts.len()
            && self.parts.iter().rev().zip(name.iter().rev()).all(|(part, name)| part.fits(name))
    }

    fn is_any(&self) -> bool {
        self.parts.iter().all(|part| *part == Part::Any)
    }

    /// Whether every name that fits this fits the other too, `!` aside. Where it says no, that may be so all the same.
    fn is_within(&self, other: &Self) -> bool {
        let schema_is_left_out = other.parts.len() > self.parts.len() && other.parts.first() == Some(&Part::Any);
        let skipped = usize::from(schema_is_left_out);
        other.parts.len() - skipped <= self.parts.len()
            && other
                .parts
                .iter()
                .skip(skipped)
                .rev()
                .zip(self.parts.iter().rev())
                .all(|(wide, own)| own.is_within(wide))
    }

    fn literal_name(&self) -> Option<String> {
        match self.parts.as_slice() {
            [Part::Literal(name)] => Some(name.clone()),
            _ => None,
        }
    }
}

/// Whether a word fits the tokens, of which one fits one letter if `fits` says so. Two pointers and one point of return:
/// time is at most length of pattern times length of word, never exponential.
fn glob<L>(tokens: &[Token], word: &[L], fits: impl Fn(&Token, &L) -> bool) -> bool {
    let (mut token, mut position) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while let Some(letter) = word.get(position) {
        match tokens.get(token) {
            Some(Token::AnySequence) => {
                retry = Some((token, position));
                token += 1;
                continue;
            }
            Some(wanted) if fits(wanted, letter) => {}
            _ => match retry {
                Some((star, start)) => {
                    retry = Some((star, start + 1));
                    (token, position) = (star + 1, start + 1);
                    continue;
                }
                None => return false,
            },
        }
        token += 1;
        position += 1;
    }
    tokens.iter().skip(token).all(|token| *token == Token::AnySequence)
}

/// The patterns of one field of a rule. A name matches when it fits any of the positive ones (or there are none) and
/// none of the excluding ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatternList {
    patterns: Vec<Pattern>,
    is_any: bool,
}

impl PatternList {
    /// Parses patterns of one name.
    pub fn parse(patterns: &[String]) -> Result<Self, PatternError> {
        Self::of(patterns, Pattern::parse)
    }

    /// Parses patterns of a name that `schema.` may precede.
    pub fn parse_qualified(patterns: &[String]) -> Result<Self, PatternError> {
        Self::of(patterns, Pattern::parse_qualified)
    }

    fn of(patterns: &[String], parse: fn(&str) -> Result<Pattern, PatternError>) -> Result<Self, PatternError> {
        if patterns.is_empty() {
            return Err(PatternError::EmptyList);
        }
        let patterns: Vec<Pattern> = patterns.iter().map(|pattern| parse(pattern)).collect::<Result<_, _>>()?;
        let fits_all = |pattern: &Pattern| pattern.is_any() && pattern.parts.len() == 1;
        let is_any = patterns.iter().any(fits_all) && !patterns.iter().any(|pattern| pattern.excludes);
        Ok(Self { patterns, is_any })
    }

    /// Whether the name (its parts, the schema first) matches.
    pub fn matches(&self, name: &[&str]) -> bool {
        self.matches_any_of(&[name])
    }

    /// Whether an object that goes by any of these names matches: one of them fits, and none is excluded.
    pub fn matches_any_of(&self, names: &[&[&str]]) -> bool {
        if self.is_any {
            return true;
        }
        let fits = |pattern: &Pattern| names.iter().any(|name| pattern.fits(name));
        let mut positive = self.patterns.iter().filter(|pattern| !pattern.excludes).peekable();
        let included = positive.peek().is_none() || positive.any(fits);
        included && !self.patterns.iter().any(|pattern| pattern.excludes && fits(pattern))
    }

    /// The only names that can match, when every positive pattern is a name without wildcards.
    pub fn literal_names(&self) -> Option<Vec<String>> {
        let positive = self.patterns.iter().filter(|pattern| !pattern.excludes);
        let names: Option<Vec<String>> = positive.map(Pattern::literal_name).collect();
        names.filter(|names| !names.is_empty())
    }

    /// Whether it is certain that no name matches, because whatever is included is excluded as well.
    pub(crate) fn matches_nothing(&self) -> bool {
        let is_excluded = |pattern: &Pattern| self.excluding().any(|excluding| pattern.is_within(excluding));
        let mut including = self.including().peekable();
        match including.peek() {
            Some(_) => including.all(is_excluded),
            None => self.excluding().any(|pattern| pattern.is_any() && pattern.parts.len() == 1),
        }
    }

    /// Whether it is certain that every name matches that matches the other list.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        let is_included = |pattern: &Pattern| self.including().any(|wider| pattern.is_within(wider));
        let includes_all = self.including().next().is_none()
            || self.including().any(|pattern| pattern.is_any() && pattern.parts.len() == 1);
        let included = includes_all || (other.including().next().is_some() && other.including().all(is_included));
        included && self.excluding().all(|pattern| other.excluding().any(|wider| pattern.is_within(wider)))
    }

    fn including(&self) -> impl Iterator<Item = &Pattern> {
        self.patterns.iter().filter(|pattern| !pattern.excludes)
    }

    fn excluding(&self) -> impl Iterator<Item = &Pattern> {
        self.patterns.iter().filter(|pattern| pattern.excludes)
    }

    /// Whether every name matches.
    pub fn is_any(&self) -> bool {
        self.is_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn list(patterns: &[&str]) -> PatternList {
        PatternList::parse_qualified(&patterns.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn patterns_match_as_psql_does() {
        let cases: &[(&str, &[&str], bool)] = &[
            ("foo", &["foo"], true),
            ("FOO", &["foo"], true),
            ("foo", &["Foo"], false),
            ("\"Foo\"", &["Foo"], true),
            ("\"Foo\"", &["foo"], false),
            ("f\"O\"o", &["fOo"], true),
            ("\"a\"\"b\"", &["a\"b"], true),
            ("\"a*\"", &["a*"], true),
            ("\"a*\"", &["ab"], false),
            ("f*", &["f"], true),
            ("*o*", &["foo"], true),
            ("f?o", &["foo"], true),
            ("f?o", &["fo"], false),
            ("?", &["é"], true),
            ("?", &["🙂"], true),
            ("É*", &["École"], true),
            ("s.t", &["s", "t"], true),
            ("s.t", &["x", "t"], false),
            ("t", &["x", "t"], true),
            ("\"s.t\"", &["x", "s.t"], true),
            ("s.t", &["t"], false),
            ("*", &["any thing"], true),
        ];
        for (pattern, name, expected) in cases {
            assert_eq!(list(&[pattern]).matches(name), *expected, "{pattern} {name:?}");
        }
    }

    #[test]
    fn bad_patterns_are_refused_and_say_why() {
        let refused = |pattern: &str| Pattern::parse(pattern).unwrap_err().to_string();
        assert!(refused("").contains("empty pattern"));
        assert!(refused("!").contains("empty pattern"));
        assert!(refused("\"\"").contains("empty pattern"));
        assert!(refused("\"foo").contains("unbalanced"));
        assert!(refused("a.b").contains("has a dot"));
        for special in SPECIAL.chars() {
            assert!(refused(&format!("a{special}")).contains("double quotes"), "{special}");
            assert!(Pattern::parse(&format!("\"a{special}\"")).is_ok(), "{special}");
        }
        assert!(matches!(Pattern::parse_qualified("a.b.c"), Err(PatternError::Dots { .. })));
        assert!(matches!(Pattern::parse_qualified("a."), Err(PatternError::Empty)));
        assert_eq!(PatternList::parse(&[]), Err(PatternError::EmptyList));
    }

    #[test]
    fn excluding_patterns_take_names_away() {
        let production = list(&["prod*", "!prod_test"]);
        assert!(production.matches(&["prod1"]) && !production.matches(&["prod_test"]) && !production.matches(&["dev"]));
        let all_but = list(&["!dev*"]);
        assert!(all_but.matches(&["prod"]) && !all_but.matches(&["dev1"]));
        assert!(!list(&["!postgres_fdw"]).matches_any_of(&[&["guarded"], &["postgres_fdw"]]));
    }

    #[test]
    fn literal_names_feed_the_index() {
        assert_eq!(list(&["a", "\"B c\"", "!x*"]).literal_names(), Some(vec!["a".to_owned(), "B c".to_owned()]));
        assert_eq!(list(&["a", "b*"]).literal_names(), None);
        assert_eq!(list(&["!a"]).literal_names(), None);
        assert!(list(&["*"]).is_any() && list(&["a", "**"]).is_any());
        assert!(!list(&["*", "!a"]).is_any() && !list(&["?*"]).is_any() && !list(&["!a"]).is_any());
    }

    #[test]
    fn many_stars_take_no_time() {
        let pattern = list(&[&"*a".repeat(30)]);
        let started = std::time::Instant::now();
        assert!(!pattern.matches(&[&"a".repeat(29)]));
        assert!(!pattern.matches(&[&format!("{}b", "a".repeat(5000))]));
        assert!(started.elapsed().as_secs() < 2);
    }

    proptest! {
        #[test]
        fn a_pattern_means_what_its_regular_expression_means(pattern in "[aAbB*?]{1,8}", name in "[abAB]{0,8}") {
            let expression: String = pattern
                .chars()
                .map(|c| match c { '*' => ".*".to_owned(), '?' => ".".to_owned(), c => c.to_ascii_lowercase().to_string() })
                .collect();
            let model = regex::Regex::new(&format!("^(?s:{expression})$")).unwrap();
            prop_assert_eq!(list(&[&pattern]).matches(&[&name]), model.is_match(&name));
        }

        #[test]
        fn a_quoted_name_matches_itself_and_nothing_else(name in "\\PC{1,20}", other in "\\PC{1,20}") {
            let pattern = list(&[&format!("\"{}\"", name.replace('"', "\"\""))]);
            prop_assert!(pattern.matches(&[&name]));
            prop_assert_eq!(pattern.matches(&[&other]), name == other);
            prop_assert_eq!(pattern.literal_names(), Some(vec![name]));
        }
    }

    fn patterns() -> impl Strategy<Value = PatternList> {
        let pattern = "!?([ab*?]{1,3}\\.)?[ab*?]{1,3}";
        prop::collection::vec(pattern, 1..4).prop_map(|patterns| PatternList::parse_qualified(&patterns).unwrap())
    }

    proptest! {
        #[test]
        fn what_is_said_of_all_names_is_true_of_each(one in patterns(), other in patterns(), schema in "[ab]{1,3}", name in "[ab]{1,4}") {
            let (matches_one, matches_other) = (one.matches(&[&schema, &name]), other.matches(&[&schema, &name]));
            prop_assert!(!(one.matches_nothing() && matches_one), "{one:?}");
            prop_assert!(!(one.covers(&other) && matches_other && !matches_one), "{one:?} {other:?}");
        }
    }

    #[test]
    fn a_list_may_match_nothing_or_cover_another() {
        for (patterns, wanted) in [
            (&["!*"][..], true),
            (&["a", "!a"], true),
            (&["ab*", "!a*"], true),
            (&["ab?", "!a*b*"], true),
            (&["s.t", "!t"], true),
            (&["*", "!*"], true),
            (&["a*", "!ab*"], false),
            (&["t", "!s.t"], false),
            (&["*"], false),
        ] {
            assert_eq!(list(patterns).matches_nothing(), wanted, "{patterns:?}");
        }
        for (wide, narrow, wanted) in [
            (&["*"][..], &["a"][..], true),
            (&["a*"], &["ab*", "a?"], true),
            (&["!b"], &["a*", "!b*"], true),
            (&["*.t"], &["t"], true),
            (&["t"], &["s.t"], true),
            (&["a"], &["*"], false),
            (&["!b"], &["*"], false),
            (&["s.t"], &["t"], false),
            (&["a"], &["!b"], false),
        ] {
            assert_eq!(list(wide).covers(&list(narrow)), wanted, "{wide:?} {narrow:?}");
        }
    }
}
