//! What the words of a statement say of its options.

use crate::model::ObjectType;

/// The words that say on what a list of options stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Keyword {
    Alter,
    Create,
    Data,
    Drop,
    Foreign,
    Import,
    Mapping,
    Option,
    Prepare,
    Schema,
    Server,
    Table,
    User,
    Wrapper,
    #[default]
    Other,
}

/// By their lengths, from the shortest on.
const KEYWORDS: [&[(&[u8], Keyword)]; 4] = [
    &[(b"data", Keyword::Data), (b"drop", Keyword::Drop), (b"user", Keyword::User)],
    &[(b"alter", Keyword::Alter), (b"table", Keyword::Table)],
    &[
        (b"create", Keyword::Create),
        (b"import", Keyword::Import),
        (b"option", Keyword::Option),
        (b"schema", Keyword::Schema),
        (b"server", Keyword::Server),
    ],
    &[
        (b"foreign", Keyword::Foreign),
        (b"mapping", Keyword::Mapping),
        (b"options", Keyword::Option),
        (b"prepare", Keyword::Prepare),
        (b"wrapper", Keyword::Wrapper),
    ],
];

/// Bytes of the shortest.
const SHORTEST: usize = 4;

impl Keyword {
    pub fn of(word: &[u8]) -> Self {
        let of_length = word.len().checked_sub(SHORTEST).and_then(|place| KEYWORDS.get(place)).copied();
        let initial = word.first().map(u8::to_ascii_lowercase);
        let is_it = |known: &[u8]| known.first().copied() == initial && known.eq_ignore_ascii_case(word);
        let known = of_length.unwrap_or_default().iter().find(|(known, _)| is_it(known));
        known.map_or(Self::Other, |(_, keyword)| *keyword)
    }

    fn is_verb(self) -> bool {
        matches!(self, Self::Alter | Self::Create | Self::Drop)
    }
}

/// The statement that is being read.
#[derive(Debug, Default)]
pub struct Statement {
    /// The last words, the last one first.
    last: [Keyword; 4],
    /// What it is about, as far as that is known.
    on: Option<ObjectType>,
    /// It makes or changes a user mapping: it has no literal that is not an option's value.
    pub is_of_mapping: bool,
    /// Its server has been named, and nothing but options follows.
    names_server: bool,
    /// A list of options, or one of its kind, has been read.
    pub has_options: bool,
}

impl Statement {
    /// Whether it is none that PostgreSQL would read, if that word comes next.
    pub fn is_broken_by(&self, keyword: Keyword) -> bool {
        self.is_of_mapping
            && self.names_server
            && !self.has_options
            && matches!(keyword, Keyword::Other | Keyword::Prepare)
    }

    /// Whether the text ends before the options do that it is about.
    pub fn waits_for_options(&self) -> bool {
        let [last, ..] = self.last;
        !self.has_options && (self.is_of_mapping || self.on.is_some() && last == Keyword::Option)
    }

    /// Takes one more word; what is none counts as another.
    pub fn take(&mut self, keyword: Keyword) {
        let [last, before, earlier, _] = self.last;
        self.names_server |= last == Keyword::Server;
        self.last = [keyword, last, before, earlier];
        let on = match self.last {
            [Keyword::Mapping, Keyword::User, verb, _] => {
                self.is_of_mapping |= matches!(verb, Keyword::Alter | Keyword::Create);
                self.on = Some(ObjectType::UserMapping);
                return;
            }
            [Keyword::Server, verb, ..] if verb.is_verb() => ObjectType::Server,
            [Keyword::Wrapper, Keyword::Data, Keyword::Foreign, verb] if verb.is_verb() => {
                ObjectType::ForeignDataWrapper
            }
            [Keyword::Table, verb, ..] | [Keyword::Table, Keyword::Foreign, verb, _] if verb.is_verb() => {
                ObjectType::ForeignTable
            }
            [Keyword::Schema, Keyword::Foreign, Keyword::Import, _] => ObjectType::ForeignTable,
            _ => return,
        };
        self.on.get_or_insert(on);
    }

    /// On what types of object its options may stand; none if that is not known.
    pub fn objects(&self) -> &'static [ObjectType] {
        match self.on {
            None => &[],
            Some(ObjectType::ForeignDataWrapper) => &[ObjectType::ForeignDataWrapper],
            Some(ObjectType::Server) => &[ObjectType::Server],
            Some(ObjectType::UserMapping) => &[ObjectType::UserMapping],
            // A table's options and its columns' are not told apart.
            Some(ObjectType::ForeignTable | ObjectType::ForeignTableColumn) => {
                &[ObjectType::ForeignTable, ObjectType::ForeignTableColumn]
            }
        }
    }
}
