//! Secrets: which options have values that nobody is shown, and the only way in which a value becomes text.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::rc::Rc;

use regex::Regex;

use crate::model::{ObjectType, OptionValue};
use crate::pattern::{PatternError, PatternList};

/// Names of options that are secrets wherever they stand: a list of patterns, as `fdw_guard.secret_options` holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretOptions(Option<PatternList>);

impl SecretOptions {
    /// The setting's default. `password_required` is a switch, not a password.
    pub const DEFAULT: &'static str = "*password*, *passwd*, *passphrase*, *secret*, *token*, *credential*, \
                                       *private_key*, *api_key*, *apikey*, *access_key*, !password_required";

    /// Parses a comma-separated list of patterns. An empty list names no option.
    pub fn parse(list: &str) -> Result<Self, PatternError> {
        let patterns = elements(list);
        if patterns.is_empty() {
            return Ok(Self(None));
        }
        PatternList::parse(&patterns).map(|patterns| Self(Some(patterns)))
    }

    /// Parses a list; one that is not valid names every option.
    pub fn or_all(list: &str) -> Self {
        Self::parse(list).unwrap_or_else(|_| Self::all())
    }

    /// Every option.
    pub fn all() -> Self {
        // A test holds that this parses.
        Self(PatternList::parse(&["*".to_owned()]).ok())
    }

    /// Whether an option of this name is a secret. Wrappers differ in how they treat upper case, so it is ignored.
    pub fn matches(&self, option: &str) -> bool {
        self.0.as_ref().is_some_and(|patterns| patterns.matches(&[&option.to_lowercase()]))
    }
}

impl Default for SecretOptions {
    fn default() -> Self {
        // A test holds that the default parses; were it ever not to, everything would be a secret.
        Self::or_all(Self::DEFAULT)
    }
}

/// Elements of a comma-separated list; a comma in double quotes belongs to its element.
fn elements(list: &str) -> Vec<String> {
    let mut quoted = false;
    let parts = list.split(|character| {
        quoted ^= character == '"';
        character == ',' && !quoted
    });
    let parts: Vec<&str> = parts.map(str::trim).collect();
    if parts.iter().all(|part| part.is_empty()) { Vec::new() } else { parts.into_iter().map(str::to_owned).collect() }
}

/// What is known of the secrecy of one object's options.
#[derive(Debug, Clone)]
pub struct Secrecy {
    object_type: ObjectType,
    named: Rc<SecretOptions>,
    secret: BTreeSet<String>,
    secret_patterns: Vec<Regex>,
    public: BTreeSet<String>,
    /// Whether nothing may be shown, because what would say so cannot be read.
    unknown: bool,
    /// Names that were asked for, and what was answered; objects of a kind have the same few.
    answers: RefCell<Vec<(String, bool)>>,
}

/// Answers that are kept.
const MOST_ANSWERS: usize = 32;

impl Secrecy {
    /// What the names of options alone say.
    pub(crate) fn new(object_type: ObjectType, named: Rc<SecretOptions>) -> Self {
        let (secret, public) = (BTreeSet::new(), BTreeSet::new());
        let (secret_patterns, answers) = (Vec::new(), RefCell::default());
        Self { object_type, named, secret, secret_patterns, public, unknown: false, answers }
    }

    pub(crate) fn add_secret(&mut self, option: &str) {
        self.answers.take();
        self.secret.insert(option.to_owned());
    }

    pub(crate) fn add_secret_pattern(&mut self, names: Regex) {
        self.answers.take();
        self.secret_patterns.push(names);
    }

    pub(crate) fn add_public(&mut self, option: &str) {
        self.answers.take();
        self.public.insert(option.to_owned());
    }

    pub(crate) fn hide_everything(&mut self) {
        self.answers.take();
        self.unknown = true;
    }

    /// Whether the option's value must not be shown. What says that it is secret wins over what says that it is
    /// public, and on a user mapping whatever nothing is known of is a secret.
    pub fn is_secret(&self, option: &str) -> bool {
        let known = self.answers.borrow().iter().find(|(known, _)| known == option).map(|(_, answer)| *answer);
        known.unwrap_or_else(|| {
            let answer = self.find(option);
            let mut answers = self.answers.borrow_mut();
            if answers.len() < MOST_ANSWERS {
                answers.push((option.to_owned(), answer));
            }
            answer
        })
    }

    fn find(&self, option: &str) -> bool {
        self.unknown
            || self.named.matches(option)
            || self.secret.contains(option)
            || self.secret_patterns.iter().any(|names| names.is_match(option))
            || (self.object_type == ObjectType::UserMapping && !self.public.contains(option))
    }

    /// The value as a message may show it to anybody who may see the object: cut at [`Shown::LONGEST`] characters.
    pub fn show(&self, option: &str, value: OptionValue<'_>) -> Shown {
        if self.is_secret(option) { Shown::hidden() } else { Shown::beginning(value.expose()) }
    }

    /// The same, however long it is: where values are what was asked for.
    pub fn show_whole(&self, option: &str, value: OptionValue<'_>) -> Shown {
        if self.is_secret(option) { Shown::hidden() } else { Shown::plain(value.expose()) }
    }

    /// The value as a rule of somebody who may not know it sees it: as long, and nothing else.
    pub(crate) fn masked(&self, option: &str, value: OptionValue<'_>) -> String {
        if self.is_secret(option) { "*".repeat(value.expose().chars().count()) } else { value.expose().to_owned() }
    }
}

/// The value of an option made fit to be shown: control characters escaped, and of a secret nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Shown {
    /// None of a secret's.
    text: Option<String>,
    /// What it is, where the text does not tell that by itself.
    original: Option<String>,
}

/// What is shown of a secret.
pub const HIDDEN: &str = "***";

impl Shown {
    /// Characters of a value that a message shows, after which comes `...`.
    pub const LONGEST: usize = 100;

    pub(crate) fn hidden() -> Self {
        Self { text: None, original: None }
    }

    /// What everybody may see.
    pub(crate) fn plain(original: &str) -> Self {
        let text = escaped(original);
        let original = (text != original).then(|| original.to_owned());
        Self { text: Some(text), original }
    }

    /// The same, cut.
    fn beginning(value: &str) -> Self {
        Self { text: Some(cut(&escaped(value))), original: None }
    }

    /// The text, unless it is a secret's.
    pub fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }

    /// Whether it is a secret's.
    pub fn is_hidden(&self) -> bool {
        self.text.is_none()
    }

    /// As a history keeps it, see [`kept`].
    pub fn kept(&self) -> String {
        self.original.as_deref().or(self.text()).map_or_else(|| HIDDEN.to_owned(), kept)
    }
}

/// A text as a history keeps it: as it is, or if it holds what must be escaped, or looks like one that is escaped or hidden,
/// as PostgreSQL's constant `E'…'`. [`original`] is its inverse.
pub fn kept(text: &str) -> String {
    if is_all_harmless(text) && !text.starts_with(ESCAPED) && text != HIDDEN {
        return text.to_owned();
    }
    let mut result = ESCAPED.to_owned();
    for character in text.chars() {
        match character {
            '\\' | '\'' => result.extend([character, character]),
            '\n' => result.push_str("\\n"),
            '\r' => result.push_str("\\r"),
            '\t' => result.push_str("\\t"),
            _ if is_harmless(character) => result.push(character),
            // None of them has more than four digits.
            _ => result.push_str(&format!("\\u{:04x}", u32::from(character))),
        }
    }
    result.push('\'');
    result
}

/// How a text begins that a history keeps in another form.
const ESCAPED: &str = "E'";

/// The text that a history has kept so; None if it is no such form.
pub fn original(kept: &str) -> Option<String> {
    let Some(body) = kept.strip_prefix(ESCAPED) else { return Some(kept.to_owned()) };
    let mut characters = body.strip_suffix('\'')?.chars();
    let mut result = String::new();
    while let Some(character) = characters.next() {
        let escape = if matches!(character, '\\' | '\'') { Some(characters.next()?) } else { None };
        result.push(match escape {
            None => character,
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('u') => {
                let digits: String = characters.by_ref().take(4).collect();
                char::from_u32(u32::from_str_radix(&digits, 16).ok()?)?
            }
            Some(doubled) => doubled,
        });
    }
    Some(result)
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text().unwrap_or(HIDDEN))
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(Shown::LONGEST) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// The text with whatever could forge lines or reorder them on a terminal written as an escape.
pub(crate) fn escaped(text: &str) -> String {
    if is_all_harmless(text) {
        return text.to_owned();
    }
    let mut result = String::with_capacity(text.len());
    for character in text.chars() {
        if is_harmless(character) { result.push(character) } else { result.extend(character.escape_default()) }
    }
    result
}

/// Nearly every text is printable ASCII, which is seen at once.
fn is_all_harmless(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~')) || text.chars().all(is_harmless)
}

fn is_harmless(character: char) -> bool {
    // Line and paragraph separators, zero-width and bidirectional marks print as nothing and change what follows.
    !character.is_control()
        && !matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrecy(object_type: ObjectType) -> Secrecy {
        Secrecy::new(object_type, Rc::new(SecretOptions::default()))
    }

    #[test]
    fn the_default_names_passwords_and_their_like() {
        assert_eq!(SecretOptions::default(), SecretOptions::parse(SecretOptions::DEFAULT).unwrap());
        let named = SecretOptions::default();
        for secret in ["password", "PASSWORD", "sslpassword", "api_token", "client_secret", "Passphrase"] {
            assert!(named.matches(secret), "{secret}");
        }
        for public in ["password_required", "user", "host", "sslkey", "passfile"] {
            assert!(!named.matches(public), "{public}");
        }
    }

    #[test]
    fn a_list_may_be_empty_and_may_quote_a_comma() {
        assert!(!SecretOptions::parse("  ").unwrap().matches("password"));
        assert!(SecretOptions::parse("\"a,b\", c").unwrap().matches("a,b"));
        assert!(SecretOptions::parse("a,,b").is_err());
        assert!(SecretOptions::parse("a(").is_err());
        assert!(SecretOptions::or_all("a(").matches("host") && SecretOptions::all().matches("host"));
    }

    #[test]
    fn on_a_user_mapping_silence_means_secret() {
        let mut mapping = secrecy(ObjectType::UserMapping);
        assert!(mapping.is_secret("user") && mapping.is_secret("anything"));
        mapping.add_public("user");
        mapping.add_public("password");
        assert!(!mapping.is_secret("user"));
        assert!(mapping.is_secret("password"), "the setting wins over a rule that says public");
        assert!(!secrecy(ObjectType::Server).is_secret("host"));
    }

    #[test]
    fn rules_and_their_patterns_make_secrets() {
        let mut server = secrecy(ObjectType::Server);
        server.add_secret("pin");
        server.add_secret_pattern(Regex::new("^x_").unwrap());
        assert!(server.is_secret("pin") && server.is_secret("x_1") && !server.is_secret("y"));
    }

    #[test]
    fn a_secret_is_shown_as_three_stars_and_a_long_value_is_cut() {
        let server = secrecy(ObjectType::Server);
        assert_eq!(server.show("password", "hunter2".into()).to_string(), "***");
        assert_eq!(server.show("host", "a\nb\u{202e}".into()).to_string(), "a\\nb\\u{202e}");
        let long = server.show("host", "é".repeat(1000).as_str().into()).to_string();
        assert_eq!(long, format!("{}...", "é".repeat(100)));
        assert_eq!(server.show_whole("host", "é".repeat(1000).as_str().into()).to_string(), "é".repeat(1000));
        assert_eq!(server.show_whole("password", "hunter2".into()).to_string(), "***");
        assert_eq!(server.masked("password", "häß".into()), "***");
        assert_eq!(server.masked("host", "häß".into()), "häß");
    }

    #[test]
    fn what_is_kept_is_readable_and_tells_a_secret_from_three_stars() {
        let cases = [
            ("plain", "plain"),
            ("C:\\new 'x'", "C:\\new 'x'"),
            ("a\nb", "E'a\\nb'"),
            ("a\\nb\u{202e}'", "E'a\\\\nb\\u202e'''"),
            ("***", "E'***'"),
            ("E'x'", "E'E''x'''"),
        ];
        for (text, expected) in cases {
            assert_eq!(kept(text), expected);
            assert_eq!(Shown::plain(text).kept(), expected);
        }
        assert_eq!(Shown::hidden().kept(), "***");
        for broken in ["E'broken", "E'broken\\'", "E'\\u00", "E'\\u12x4'"] {
            assert_eq!(original(broken), None, "{broken}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_kept_is_got_back(text in "([a-c'\\\\nrtuE*é]|\\PC|[\n\r\t\u{1}\u{7f}\u{85}\u{200b}\u{202e}\u{feff}]){0,12}") {
            proptest::prop_assert_eq!(original(&kept(&text)), Some(text.clone()));
            proptest::prop_assert!(kept(&text).chars().all(is_harmless));
        }
    }
}
