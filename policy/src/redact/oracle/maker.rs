//! What every part of the generator makes its texts with.

use std::cell::RefCell;
use std::thread::LocalKey;

use super::encoding::Encoding;
use super::source::Source;
use super::text::Text;
use crate::model::ObjectType;
use crate::policy::Policy;
use crate::redact::{Names, Strings};
use crate::secret::SecretOptions;

/// What is known of the names of options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Knowledge {
    Packs,
    /// Those of a policy without rules of its own.
    Policy,
    Nothing,
}

thread_local! {
    static OF_PACKS: RefCell<Names> = RefCell::new(Names::of_packs(&SecretOptions::default()));
    static OF_POLICY: RefCell<Names> =
        RefCell::new(Names::of_policy(&Policy::new(Vec::new(), SecretOptions::default())));
    static OF_NOTHING: RefCell<Names> = RefCell::new(Names::unknown());
}

impl Knowledge {
    fn names(self) -> &'static LocalKey<RefCell<Names>> {
        match self {
            Self::Packs => &OF_PACKS,
            Self::Policy => &OF_POLICY,
            Self::Nothing => &OF_NOTHING,
        }
    }

    pub fn with_names<T>(self, use_names: impl FnOnce(&Names) -> T) -> T {
        self.names().with_borrow(use_names)
    }

    /// Whether such an option is a secret: the oracle's own answer, if it has one.
    pub fn is_secret(self, on: Option<ObjectType>, option: OptionName) -> Option<bool> {
        match (self, option) {
            (Self::Nothing, _) | (_, OptionName::Secret(_)) => Some(true),
            (_, OptionName::Public(_)) => Some(false),
            (Self::Packs, OptionName::Unknown(_)) => Some(true),
            (Self::Policy, OptionName::Unknown(_)) => on.map(|on| on == ObjectType::UserMapping),
        }
    }
}

/// An option, and what packs and the setting say of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptionName {
    Secret(&'static str),
    Public(&'static str),
    Unknown(&'static str),
}

impl OptionName {
    pub fn name(self) -> &'static str {
        let (Self::Secret(name) | Self::Public(name) | Self::Unknown(name)) = self;
        name
    }

    /// One that may stand on such an object.
    pub fn public_on(on: Option<ObjectType>) -> &'static [Self] {
        match on {
            Some(ObjectType::Server) => &[
                Self::Public("host"),
                Self::Public("port"),
                Self::Public("fetch_size"),
                Self::Public("dbname"),
                Self::Unknown("made_up"),
            ],
            Some(ObjectType::UserMapping) => &[Self::Public("user"), Self::Public("sslcert"), Self::Unknown("made_up")],
            Some(ObjectType::ForeignTable) => &[
                Self::Public("schema_name"),
                Self::Public("fetch_size"),
                Self::Public("filename"),
                Self::Unknown("made_up"),
            ],
            Some(ObjectType::ForeignTableColumn) => &[Self::Public("column_name"), Self::Unknown("made_up")],
            Some(ObjectType::ForeignDataWrapper) | None => &[Self::Unknown("made_up")],
        }
    }

    pub const SECRETS: [Self; 4] = [
        Self::Secret("password"),
        Self::Secret("sslpassword"),
        Self::Secret("api_token"),
        Self::Secret("client_secret"),
    ];
}

/// Makes texts as a source of choices tells.
#[derive(Debug)]
pub struct Maker<'s, 'b> {
    pub source: &'s mut Source<'b>,
    pub strings: Strings,
    pub encoding: Encoding,
    pub knowledge: Knowledge,
    /// The values that were placed, as they would be stored.
    pub canaries: Vec<Vec<u8>>,
    /// Whether canaries are letters only, so that they stay whole where quoting is wrong.
    pub simple: bool,
    /// Whether what is not a secret is written as people write it: in prose nobody can tell what an escape outside values
    /// would mean.
    pub plain: bool,
    /// Whether nothing is there to mislead: plain literals, no comments.
    pub tame: bool,
}

/// Letters that are no hexadecimal digits and stand in no word of SQL in such an order.
const LETTERS: &[u8; 16] = b"ZQXKJVWYzqxkjvwy";

/// What stands inside canaries to mislead a lexer.
const TROUBLE: [&[u8]; 22] = [
    b"", b"'", b"\"", b"\\", b"$", b"\n", b";", b")", b"--", b"/*", b"{", b"%", b"''", b"$$", b"\\'", b",", b" ",
    b"*/", b"(", b"::", b"}", b"&",
];

impl<'s, 'b> Maker<'s, 'b> {
    pub fn new(source: &'s mut Source<'b>) -> Self {
        let strings = source.pick(&[Strings::Standard, Strings::Standard, Strings::Standard, Strings::Escaping]);
        let encoding = source.pick(&Encoding::ALL);
        let knowledge = source.pick(&[Knowledge::Packs, Knowledge::Policy, Knowledge::Nothing]);
        Self { source, strings, encoding, knowledge, canaries: Vec::new(), simple: false, plain: false, tame: false }
    }

    fn letters(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.source.pick(LETTERS)).collect()
    }

    /// A new value that must not be shown.
    pub fn canary(&mut self) -> Vec<u8> {
        let mut value = b"Zq".to_vec();
        value.extend(self.letters(4));
        if !self.simple {
            value.extend_from_slice(self.source.pick(&TROUBLE));
            if self.source.once_in(4) {
                value.extend_from_slice(self.source.pick(&self.encoding.letters()));
            }
        }
        value.extend(self.letters(4));
        if !self.simple && self.source.once_in(3) {
            value.extend_from_slice(self.source.pick(&TROUBLE));
        }
        self.canaries.push(value.clone());
        value
    }

    pub fn secret(&mut self) -> Text {
        Text::secret(&self.canary())
    }

    /// A secret that is written without quotes.
    pub fn number(&mut self) -> Text {
        let digits: Vec<u8> = (0..9).map(|_| self.source.pick(b"23456789")).collect();
        self.canaries.push(digits.clone());
        Text::secret(&digits)
    }

    /// What may stand between two words.
    pub fn gap(&mut self) -> &'static str {
        if self.tame {
            return self.source.pick(&[" ", "\n", "\t", "  "]);
        }
        self.source.pick(&[
            " ",
            " ",
            " ",
            " ",
            "\n",
            "\t",
            "  \r\n    ",
            "\x0c",
            " /* it's */ ",
            "/* a /* nested */ one */",
            " -- don't\n",
            "/* \"$$ */",
            "--\n",
            " /**/ ",
        ])
    }

    /// What may stand between a word and a sign.
    pub fn maybe_gap(&mut self) -> &'static str {
        if self.source.once_in(4) { self.gap() } else { "" }
    }

    /// Words with gaps between them, in upper or lower case.
    pub fn words(&mut self, words: &str) -> Text {
        let mut text = Text::default();
        for (place, word) in words.split(' ').enumerate() {
            if place > 0 {
                text.push(self.gap());
            }
            text.push(self.cased(word));
        }
        text
    }

    pub fn cased(&mut self, word: &str) -> String {
        match self.source.below(8) {
            6 => word.to_lowercase(),
            7 => word
                .chars()
                .map(
                    |letter| {
                        if self.source.once_in(2) { letter.to_ascii_lowercase() } else { letter.to_ascii_uppercase() }
                    },
                )
                .collect(),
            _ => word.to_owned(),
        }
    }
}
