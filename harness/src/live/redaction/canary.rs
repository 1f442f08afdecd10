//! The secrets: each one is unlike any other and any word, so that a single one of its letters' runs betrays it wherever
//! it shows.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;

use anyhow::Result;

/// What a secret is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Letters {
    /// Lower-case letters and digits.
    Plain,
    Quotes,
    Backslashes,
    Dollars,
    Lines,
    /// Letters of LATIN1.
    Accents,
    /// Letters of EUC_JP.
    Kana,
    /// Four letters.
    Short,
    /// What looks like the rest of a list of options.
    List,
    /// What looks like JSON.
    Json,
    /// What `format` and `RAISE` give a meaning.
    Percent,
    /// What begins and ends comments.
    Comment,
    Long,
    /// Digits, as a number has them.
    Number,
}

/// What every database can hold.
pub const ASCII: [Letters; 11] = [
    Letters::Plain,
    Letters::Quotes,
    Letters::Backslashes,
    Letters::Short,
    Letters::Dollars,
    Letters::Lines,
    Letters::List,
    Letters::Json,
    Letters::Percent,
    Letters::Comment,
    Letters::Long,
];

/// A secret, or a text that must stay readable.
#[derive(Debug, Clone)]
pub struct Canary {
    pub value: String,
    /// Runs of letters that are found nowhere else.
    pub cores: Vec<String>,
}

/// Makes canaries.
pub struct Mint {
    state: u64,
    made: BTreeSet<String>,
}

const CONSONANTS: &[u8] = b"bcdfghjkmnpqrstvwxz";
const CAPITALS: &[u8] = b"JKQVWXYZ";
const DIGITS: &[u8] = b"23456789";

impl Mint {
    /// One whose canaries nobody can guess.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn new() -> Result<Self> {
        let mut seed = [0; 8];
        File::open("/dev/urandom")?.read_exact(&mut seed)?;
        Ok(Self { state: u64::from_ne_bytes(seed) | 1, made: BTreeSet::new() })
    }

    /// A secret of those letters.
    pub fn secret(&mut self, letters: Letters) -> Canary {
        let count = match letters {
            Letters::Long => 24,
            Letters::Short | Letters::Number => 1,
            _ => 3,
        };
        let cores: Vec<String> = (0..count).map(|_| self.core(letters)).collect();
        Canary { value: joined(letters, &cores), cores }
    }

    /// A text that is no secret; it begins with a letter and is a name too.
    pub fn public(&mut self) -> Canary {
        let core = format!("p{}", self.core(Letters::Plain));
        Canary { value: core.clone(), cores: vec![core] }
    }

    /// Letters that were in no canary before.
    fn core(&mut self, letters: Letters) -> String {
        loop {
            let core = self.any_core(letters);
            if self.made.insert(core.clone()) {
                return core;
            }
        }
    }

    fn any_core(&mut self, letters: Letters) -> String {
        match letters {
            Letters::Accents => (0..12).map(|_| self.between(0xe0, 0xf6)).collect(),
            Letters::Kana => (0..8).map(|_| self.between(0x3041, 0x3093)).collect(),
            // No word, number or other canary has capitals and digits in turn.
            Letters::Short => [CAPITALS, CONSONANTS, CAPITALS, DIGITS].map(|set| self.one_of(set)).iter().collect(),
            Letters::Number => (0..18).map(|_| self.one_of(DIGITS)).collect(),
            _ => (0..20).map(|place| self.one_of(if place % 4 == 3 { DIGITS } else { CONSONANTS })).collect(),
        }
    }

    fn one_of(&mut self, set: &[u8]) -> char {
        let place = usize::try_from(self.next() % set.len() as u64).unwrap_or_default();
        set.get(place).copied().map_or('b', char::from)
    }

    fn between(&mut self, first: u32, last: u32) -> char {
        let offset = u32::try_from(self.next() % u64::from(last - first + 1)).unwrap_or_default();
        char::from_u32(first + offset).unwrap_or('\u{e9}')
    }

    /// Marsaglia's xorshift, with its high half: the low bits are weak.
    fn next(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32
    }
}

fn joined(letters: Letters, cores: &[String]) -> String {
    match letters {
        Letters::Plain | Letters::Accents | Letters::Kana | Letters::Long | Letters::Short | Letters::Number => {
            cores.concat()
        }
        Letters::Quotes => cores.join("'\"''"),
        Letters::Backslashes => cores.join("\\'\\\\") + "\\",
        Letters::Dollars => cores.join("$1$$"),
        Letters::Lines => cores.join("\n\t'\r\n"),
        Letters::List => cores.join("', ADD host 'x', \"password\" '"),
        Letters::Json => format!("{{\"password\": \"{}\"}}", cores.join("\", \"a\\\"")),
        Letters::Percent => cores.join("%L%s%1$I%%"),
        Letters::Comment => cores.join(" -- '*/ /* "),
    }
}

/// An encoding of a client or a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    Utf8,
    Latin1,
    EucJp,
    Sjis,
}

impl Encoding {
    pub const ALL: [Self; 4] = [Self::Utf8, Self::Latin1, Self::EucJp, Self::Sjis];

    /// PostgreSQL's name of it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "UTF8",
            Self::Latin1 => "LATIN1",
            Self::EucJp => "EUC_JP",
            Self::Sjis => "SJIS",
        }
    }

    /// The text in it; where it has a letter that the encoding lacks, another one stands.
    pub fn bytes(self, text: &str) -> Vec<u8> {
        text.chars().flat_map(|letter| self.letter(letter).unwrap_or_else(|| self.substitute())).collect()
    }

    /// The text in it, if it has every letter. Of EUC_JP and SJIS the letters count that canaries are made of.
    pub fn whole(self, text: &str) -> Option<Vec<u8>> {
        let letters: Option<Vec<Vec<u8>>> = text.chars().map(|letter| self.letter(letter)).collect();
        letters.map(|letters| letters.concat())
    }

    fn letter(self, letter: char) -> Option<Vec<u8>> {
        let code = u32::from(letter);
        let kana =
            code.checked_sub(0x3041).filter(|offset| *offset < 0x53).and_then(|offset| u8::try_from(offset).ok());
        match self {
            _ if letter.is_ascii() => u8::try_from(code).ok().map(|byte| vec![byte]),
            Self::Utf8 => Some(letter.to_string().into_bytes()),
            Self::Latin1 => u8::try_from(code).ok().map(|byte| vec![byte]),
            Self::EucJp => kana.map(|offset| vec![0xa4, 0xa1 + offset]),
            Self::Sjis => kana.map(|offset| vec![0x82, 0x9f + offset]),
        }
    }

    fn substitute(self) -> Vec<u8> {
        self.letter('\u{3042}').unwrap_or_else(|| vec![0xe9])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_canaries_are_alike() {
        let mut mint = Mint::new().unwrap();
        let made: BTreeSet<String> = (0..500).map(|_| mint.secret(Letters::Plain).value).collect();
        assert_eq!(made.len(), 500);
    }

    #[test]
    fn a_secret_contains_its_cores() {
        let mut mint = Mint::new().unwrap();
        for letters in ASCII.into_iter().chain([Letters::Accents, Letters::Kana]) {
            let secret = mint.secret(letters);
            let first = secret.cores.first().unwrap();
            assert!(secret.value.contains(first), "{secret:?}");
        }
    }

    #[test]
    fn kana_are_written_as_the_standards_say() {
        assert_eq!(Encoding::EucJp.bytes("a\u{3042}"), b"a\xa4\xa2");
        assert_eq!(Encoding::Sjis.bytes("\u{3042}"), b"\x82\xa0");
        assert_eq!(Encoding::Latin1.bytes("\u{e9}"), b"\xe9");
    }
}
