//! Finds the values of secret options in a text.

use super::lexer::{Class, Lexer, Spelling, Token};
use super::literal::{decode, parts};
use super::object;
use super::ours::{self, Argument, Function};
use super::prefilter::{may_hold_secrets, starts_with};
use super::statement::{Keyword, Statement};
use super::{Kind, OutOfMemory, Place, Redactor, Secrets};

/// How deep statements are read that stand in literals of statements; what stands deeper is hidden whole.
const DEEPEST: u8 = 8;

/// Most bytes of a name that are looked at.
const LONGEST_NAME: usize = 256;

/// The places of what must not be shown, in no order, and the values that stand there.
pub fn scan(redactor: Redactor<'_>, text: &[u8], kind: Kind) -> Result<(Vec<Place>, Secrets), OutOfMemory> {
    let mut scan =
        Scan { redactor, hidden: Vec::new(), secrets: Secrets::default(), literals: Literals::Shown, is_pieced: false };
    if kind == Kind::Arguments {
        scan.literals = Literals::Hidden;
    }
    let outermost = Level { text, places: Places::From(0), depth: 0, prose: kind == Kind::Message };
    scan.level(&outermost)?;
    if scan.is_pieced && scan.literals == Literals::Shown {
        scan.literals = Literals::HiddenUnlessRead;
        scan.level(&outermost)?;
    }
    Ok((scan.hidden, scan.secrets))
}

/// What is done with literals that are neither the value of an option nor an argument of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Literals {
    Shown,
    /// They may be pieces of a statement, but those in which a statement or options can be read are read as such.
    HiddenUnlessRead,
    Hidden,
}

/// A text and where it stands in the outermost one.
struct Level<'t> {
    text: &'t [u8],
    places: Places<'t>,
    depth: u8,
    prose: bool,
}

/// Where the bytes of a text stand in the outermost one.
#[derive(Clone, Copy)]
enum Places<'t> {
    /// One after the other, from there on.
    From(usize),
    /// Each at its own place; after the last one comes where they end.
    Each(&'t [usize]),
}

impl<'t> Level<'t> {
    fn slice(&self, (start, end): Place) -> &'t [u8] {
        self.text.get(start..end).unwrap_or_default()
    }

    fn place(&self, here: usize) -> usize {
        match self.places {
            Places::From(start) => start + here,
            Places::Each(places) => places.get(here).or(places.last()).copied().unwrap_or_default(),
        }
    }

    /// A part of the text as a text of its own.
    fn within(&self, (start, end): Place) -> Level<'t> {
        let places = match self.places {
            Places::From(from) => Places::From(from + start),
            Places::Each(places) => Places::Each(places.get(start..=end).unwrap_or_default()),
        };
        Level { text: self.slice((start, end)), places, depth: self.depth + 1, prose: false }
    }
}

struct Scan<'a> {
    redactor: Redactor<'a>,
    hidden: Vec<Place>,
    secrets: Secrets,
    literals: Literals,
    /// Somewhere a statement is put together from pieces, of which one may be a secret.
    is_pieced: bool,
}

/// How a list of options ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Closed,
    /// The text ends before the list does.
    Open,
    /// It is none: everything from there on is hidden.
    Broken(usize),
}

impl Scan<'_> {
    /// Reads a text; says whether it ends within a statement that more may be added to.
    fn level(&mut self, level: &Level<'_>) -> Result<bool, OutOfMemory> {
        let mut lexer = Lexer::new(level.text, self.redactor.strings, level.prose && self.literals != Literals::Hidden);
        let mut statement = Statement::default();
        let mut before: Option<Token> = None;
        let mut first_literal = None;
        while let Some(token) = lexer.next() {
            match token.class {
                Class::Comment => {
                    self.inner(level, &token, &lexer)?;
                    continue;
                }
                Class::Symbol(b';') => statement = Statement::default(),
                Class::Word | Class::Name { .. } => {
                    if self.word(level, &token, &mut lexer, &mut statement)? == End::Open {
                        return Ok(true);
                    }
                }
                Class::Literal(_) => {
                    first_literal = first_literal.or(Some(token.start));
                    let is_told = before.is_some_and(|before| self.is_telling(level, &before, &lexer));
                    self.literal(level, &token, &lexer, statement.is_of_mapping || is_told)?;
                }
                _ => statement.take(Keyword::Other),
            }
            if !token.closed {
                return self.unclosed(level, &token, first_literal);
            }
            lexer.reads_literals = !level.prose || statement.is_of_mapping || self.literals == Literals::Hidden;
            before = Some(token);
        }
        Ok(statement.is_of_mapping && !statement.has_options)
    }

    /// Quotes do not come in pairs, so that nobody knows what is inside them and what outside.
    fn unclosed(
        &mut self,
        level: &Level<'_>,
        token: &Token,
        first_literal: Option<usize>,
    ) -> Result<bool, OutOfMemory> {
        let is_whole = level.depth == 0 && !level.prose;
        let from = if is_whole { first_literal.unwrap_or(token.start) } else { token.start };
        if is_whole || level.prose && matches!(token.class, Class::Literal(_)) {
            self.break_off(level, from)?;
        }
        Ok(false)
    }

    /// Reads a word, and the list of options or the arguments of ours that it begins.
    fn word(
        &mut self,
        level: &Level<'_>,
        token: &Token,
        lexer: &mut Lexer<'_>,
        statement: &mut Statement,
    ) -> Result<End, OutOfMemory> {
        let is_word = token.class == Class::Word;
        let keyword = if is_word { Keyword::of(level.slice((token.start, token.end))) } else { Keyword::Other };
        statement.take(keyword);
        let may_be_ours = !is_word || token.end - token.start >= ours::SHORTEST;
        if keyword != Keyword::Option && !may_be_ours {
            return Ok(End::Closed);
        }
        let mut ahead = *lexer;
        let opens = next_significant(&mut ahead).is_some_and(|next| next.is_symbol(b'('));
        if !opens {
            return Ok(End::Closed);
        }
        if keyword == Keyword::Option {
            ahead.reads_literals = true;
            *lexer = ahead;
            let end = self.list(level, lexer, statement)?;
            statement.has_options = true;
            // In prose the statement may end here.
            statement.is_of_mapping &= !level.prose;
            return self.ended(level, lexer, end);
        }
        if let Some(function) = self.function(level, token, lexer)? {
            ahead.reads_literals = true;
            *lexer = ahead;
            self.arguments(level, lexer, function)?;
        }
        Ok(End::Closed)
    }

    fn ended(&mut self, level: &Level<'_>, lexer: &mut Lexer<'_>, end: End) -> Result<End, OutOfMemory> {
        if let End::Broken(from) = end {
            self.break_off(level, from)?;
            lexer.place = level.text.len();
            return Ok(End::Closed);
        }
        Ok(end)
    }

    /// Hides everything from there on.
    fn break_off(&mut self, level: &Level<'_>, from: usize) -> Result<(), OutOfMemory> {
        let rest = level.slice((from, level.text.len()));
        // An error names the word at which the statement broke, or quotes all that is left.
        let ends = |byte: &u8| byte.is_ascii_whitespace() || b"'\"(),;=".contains(byte);
        let unquoted = rest.iter().take_while(|byte| b"'\"=$".contains(byte)).count();
        rest.get(unquoted..).unwrap_or_default().split(ends).take(4).try_for_each(|word| self.secrets.add(word))?;
        self.secrets.add(rest)?;
        self.hide(level, (from, level.text.len()))
    }

    fn hide(&mut self, level: &Level<'_>, (start, end): Place) -> Result<(), OutOfMemory> {
        let place = (level.place(start), level.place(end));
        if place.0 < place.1 {
            self.hidden.try_reserve(1).map_err(|_| OutOfMemory)?;
            self.hidden.push(place);
        }
        Ok(())
    }

    /// Hides what stands between the quotes of a literal, each of its parts by itself.
    fn hide_literal(&mut self, level: &Level<'_>, token: &Token, lexer: &Lexer<'_>) -> Result<(), OutOfMemory> {
        for part in parts(level.text, token) {
            self.hide(level, part)?;
        }
        self.secrets.add(&decode(level.text, token, lexer)?.bytes)
    }

    /// Whether a name tells that what follows is a secret.
    fn is_telling(&self, level: &Level<'_>, token: &Token, lexer: &Lexer<'_>) -> bool {
        matches!(token.class, Class::Word | Class::Name { .. })
            && with_name(level, token, lexer, |name| self.redactor.names.is_telling(name)).is_ok_and(|it| it)
    }

    fn is_secret(
        &self,
        level: &Level<'_>,
        token: &Token,
        lexer: &Lexer<'_>,
        statement: &Statement,
    ) -> Result<bool, OutOfMemory> {
        with_name(level, token, lexer, |name| self.redactor.names.is_secret(statement.objects(), name))
    }

    /// Reads a list of options, from behind its parenthesis on.
    fn list(&mut self, level: &Level<'_>, lexer: &mut Lexer<'_>, statement: &Statement) -> Result<End, OutOfMemory> {
        loop {
            let Some(token) = next_significant(lexer) else { return Ok(self.open(level)) };
            let name = match token.class {
                Class::Symbol(b')') => return Ok(End::Closed),
                Class::Word if is_action(level, &token) && !has_value(lexer) => match next_significant(lexer) {
                    Some(name) => name,
                    None => return Ok(self.open(level)),
                },
                _ => token,
            };
            match name.class {
                Class::Word | Class::Name { .. } if name.closed => {}
                Class::Symbol(b'%') if self.fill_in(level, lexer) => {}
                _ => return Ok(End::Broken(name.start)),
            }
            let is_secret = name.is_symbol(b'%') || self.is_secret(level, &name, lexer, statement)?;
            if let Some(end) = self.value(level, lexer, &name, is_secret)? {
                return Ok(end);
            }
        }
    }

    /// Reads the value of an option, if it has one, and the comma after it. Gives how the list ends, if it does there.
    fn value(
        &mut self,
        level: &Level<'_>,
        lexer: &mut Lexer<'_>,
        name: &Token,
        is_secret: bool,
    ) -> Result<Option<End>, OutOfMemory> {
        let Some(value) = behind(level, lexer, name) else { return Ok(Some(self.open(level))) };
        match value.class {
            Class::Symbol(b',') => return Ok(None),
            Class::Symbol(b')') => return Ok(Some(End::Closed)),
            Class::Literal(_) if value.closed => {}
            Class::Parameter => {}
            Class::Symbol(b'%') if self.fill_in(level, lexer) => {
                self.is_pieced |= is_secret;
                if is_secret && level.prose {
                    return Ok(Some(End::Broken(value.start)));
                }
            }
            _ => return Ok(Some(End::Broken(value.start))),
        }
        let behind = behind(level, lexer, &value);
        let end = match behind.map(|token| token.class) {
            Some(Class::Symbol(b',')) => None,
            Some(Class::Symbol(b')')) => Some(End::Closed),
            None => Some(self.open(level)),
            Some(_) => return Ok(Some(End::Broken(value.start))),
        };
        if is_secret && matches!(value.class, Class::Literal(_)) {
            self.hide_literal(level, &value, lexer)?;
        }
        Ok(end)
    }

    /// The text ends within a list. Where it stands in a literal, something else is put behind it.
    fn open(&mut self, level: &Level<'_>) -> End {
        self.is_pieced |= level.depth > 0;
        End::Open
    }

    /// Whether `%`, which has been read, begins what format() or RAISE replaces; that is read too.
    fn fill_in(&self, level: &Level<'_>, lexer: &mut Lexer<'_>) -> bool {
        let rest = level.slice((lexer.place, level.text.len()));
        let flags = rest.iter().take_while(|byte| byte.is_ascii_digit() || b"$-*".contains(byte)).count();
        let is_filled = rest.get(flags).is_some_and(|byte| b"sIL".contains(byte));
        lexer.place += if is_filled { flags + 1 } else { 0 };
        is_filled
    }

    /// Our function that has this name.
    fn function(
        &self,
        level: &Level<'_>,
        token: &Token,
        lexer: &Lexer<'_>,
    ) -> Result<Option<&'static Function>, OutOfMemory> {
        with_name(level, token, lexer, Function::named)
    }

    /// Reads the arguments of a function of ours, from behind its parenthesis on.
    fn arguments(
        &mut self,
        level: &Level<'_>,
        lexer: &mut Lexer<'_>,
        function: &'static Function,
    ) -> Result<(), OutOfMemory> {
        let (mut number, mut depth, mut is_said) = (0, 0_usize, true);
        let mut argument = function.argument(number);
        while let Some(token) = next_significant(lexer) {
            match token.class {
                Class::Symbol(b')') if depth == 0 => break,
                Class::Symbol(b'(') => depth += 1,
                Class::Symbol(b')') => depth -= 1,
                Class::Symbol(b',') if depth == 0 => {
                    self.is_pieced |= !is_said;
                    number += 1;
                    argument = function.argument(number);
                    is_said = argument == Argument::Public;
                    continue;
                }
                Class::Literal(_) => {
                    is_said = true;
                    self.argument(level, &token, lexer, argument, function)?;
                }
                Class::Parameter => is_said = true,
                Class::Word | Class::Name { .. } if depth == 0 && is_named_notation(lexer) => {
                    argument = with_name(level, &token, lexer, |name| function.argument_named(name))?;
                    is_said = argument == Argument::Public;
                }
                Class::Word if starts_with(level.slice((token.start, token.end)), b"null") => is_said = true,
                _ => {}
            }
            if !token.closed {
                return self.break_off(level, token.start);
            }
        }
        self.is_pieced |= !is_said;
        Ok(())
    }

    fn argument(
        &mut self,
        level: &Level<'_>,
        token: &Token,
        lexer: &Lexer<'_>,
        argument: Argument,
        function: &Function,
    ) -> Result<(), OutOfMemory> {
        match argument {
            Argument::Public => Ok(()),
            Argument::Value => self.hide_literal(level, token, lexer),
            Argument::Options => {
                let is_object = self.object(level, token, lexer, function)?;
                if is_object { Ok(()) } else { self.hide_literal(level, token, lexer) }
            }
        }
    }

    /// Hides the secrets of a JSON object; says whether the literal is one.
    fn object(
        &mut self,
        level: &Level<'_>,
        token: &Token,
        lexer: &Lexer<'_>,
        function: &Function,
    ) -> Result<bool, OutOfMemory> {
        let decoded = decode(level.text, token, lexer)?;
        let Some(members) = object::members(&decoded.bytes)? else { return Ok(false) };
        for (key, (start, end)) in members {
            if !self.redactor.names.is_secret(function.on, &key) {
                continue;
            }
            let place = |here: usize| decoded.places.get(here).copied().unwrap_or(token.inside.1);
            self.hide(level, (place(start), place(end)))?;
            let written = decoded.bytes.get(start..end).unwrap_or_default();
            self.secrets.add(written)?;
            if let Some(value) = object::unescaped(written)? {
                self.secrets.add(&value)?;
            }
        }
        Ok(true)
    }

    /// Treats a literal that is not the value of an option.
    fn literal(
        &mut self,
        level: &Level<'_>,
        token: &Token,
        lexer: &Lexer<'_>,
        is_told: bool,
    ) -> Result<(), OutOfMemory> {
        if is_told || self.literals == Literals::Hidden {
            return self.hide_literal(level, token, lexer);
        }
        let is_read = self.inner(level, token, lexer)?;
        if self.literals == Literals::HiddenUnlessRead && !is_read {
            // Most of these are no secrets, and must not be looked for elsewhere.
            return parts(level.text, token).try_for_each(|part| self.hide(level, part));
        }
        Ok(())
    }

    /// Reads the statements in a literal or a comment; says whether there could be some.
    fn inner(&mut self, level: &Level<'_>, token: &Token, lexer: &Lexer<'_>) -> Result<bool, OutOfMemory> {
        let written = level.slice(token.inside);
        let escapes = matches!(token.class, Class::Literal(Spelling::Escaping | Spelling::Unicode));
        let is_plain = matches!(token.class, Class::Comment | Class::Literal(Spelling::Dollar))
            || !escapes && memchr::memchr(b'\'', written).is_none();
        if !escapes && !may_hold_secrets(written) {
            return Ok(false);
        }
        if level.depth >= DEEPEST {
            self.hide_literal(level, token, lexer)?;
            return Ok(true);
        }
        if is_plain {
            return self.read_inner(level, token, lexer, &level.within(token.inside)).map(|()| true);
        }
        let mut decoded = decode(level.text, token, lexer)?;
        if !may_hold_secrets(&decoded.bytes) {
            return Ok(false);
        }
        decoded.places.iter_mut().for_each(|place| *place = level.place(*place));
        let inner =
            Level { text: &decoded.bytes, places: Places::Each(&decoded.places), depth: level.depth + 1, prose: false };
        self.read_inner(level, token, lexer, &inner).map(|()| true)
    }

    fn read_inner(
        &mut self,
        level: &Level<'_>,
        token: &Token,
        lexer: &Lexer<'_>,
        inner: &Level<'_>,
    ) -> Result<(), OutOfMemory> {
        let is_literal = token.class != Class::Comment;
        let was_pieced = self.is_pieced;
        let is_open = self.level(inner)?;
        self.is_pieced = was_pieced || is_literal && (self.is_pieced || is_open);
        // A piece is followed by an operator, a comma or a parenthesis. Where a word follows, quotes are not in pairs, and
        // what looks like a literal is what stands between two.
        let mut ahead = *lexer;
        let next = next_significant(&mut ahead);
        if is_literal && is_open && next.is_some_and(|next| matches!(next.class, Class::Word | Class::Number)) {
            self.break_off(level, token.start)?;
        }
        Ok(())
    }
}

/// The next token that is no comment.
fn next_significant(lexer: &mut Lexer<'_>) -> Option<Token> {
    lexer.find(|token| token.class != Class::Comment)
}

/// What follows a name or a value, `UESCAPE` and its character not counted.
fn behind(level: &Level<'_>, lexer: &mut Lexer<'_>, token: &Token) -> Option<Token> {
    let next = next_significant(lexer)?;
    let may_name_escape = matches!(token.class, Class::Literal(Spelling::Unicode) | Class::Name { unicode: true });
    let is_uescape = next.class == Class::Word && level.slice((next.start, next.end)).eq_ignore_ascii_case(b"uescape");
    if !may_name_escape || !is_uescape {
        return Some(next);
    }
    next_significant(lexer)?;
    next_significant(lexer)
}

/// Whether a word says what is done to an option, unless that is its name.
fn is_action(level: &Level<'_>, token: &Token) -> bool {
    let word = level.slice((token.start, token.end));
    [&b"add"[..], b"set", b"drop"].iter().any(|action| action.eq_ignore_ascii_case(word))
}

/// Whether a value follows, or nothing at all.
fn has_value(lexer: &Lexer<'_>) -> bool {
    let next = next_significant(&mut { *lexer }).map(|next| next.class);
    next.is_none_or(|class| matches!(class, Class::Literal(_) | Class::Symbol(b',' | b')') | Class::Parameter))
}

/// Whether `=>` or `:=` follows.
fn is_named_notation(lexer: &Lexer<'_>) -> bool {
    let mut ahead = *lexer;
    let two =
        (next_significant(&mut ahead).map(|token| token.class), next_significant(&mut ahead).map(|token| token.class));
    matches!(
        two,
        (Some(Class::Symbol(b'=')), Some(Class::Symbol(b'>'))) | (Some(Class::Symbol(b':')), Some(Class::Symbol(b'=')))
    )
}

/// Acts on a name as PostgreSQL reads it: without quotes and in lower case, or with quotes as it is. One that is longer
/// than any name stays as it is.
fn with_name<T>(
    level: &Level<'_>,
    token: &Token,
    lexer: &Lexer<'_>,
    act: impl FnOnce(&[u8]) -> T,
) -> Result<T, OutOfMemory> {
    if token.class != Class::Word {
        return Ok(act(&decode(level.text, token, lexer)?.bytes));
    }
    let written = level.slice((token.start, token.end));
    let mut small = [0_u8; LONGEST_NAME];
    match small.get_mut(..written.len()) {
        Some(small) => {
            small.copy_from_slice(written);
            small.make_ascii_lowercase();
            Ok(act(small))
        }
        None => Ok(act(written)),
    }
}
