//! Finds the values of secret options in a text.

use std::cell::Cell;

use super::lexer::{Class, Lexer, Spelling, Token};
use super::literal::{bytes_of, decode, parts};
use super::meter::Meter;
use super::object;
use super::ours::{self, Argument, Function};
use super::prefilter::{holds_words, starts_with};
use super::statement::{Keyword, Statement};
use super::{Found, Kind, OutOfMemory, Place, Redactor, Secrets};
use crate::model::ObjectType;

/// Bytes of the shortest number that is looked for elsewhere: shorter ones stand everywhere.
const LEAST_NUMBER: usize = 4;

/// How deep statements are read that stand in literals of statements; what stands deeper is hidden whole.
const DEEPEST: u8 = 8;

/// Most bytes of a name that are looked at.
const LONGEST_NAME: usize = 256;

/// Most bytes of the rest of a broken statement that are looked for elsewhere.
const LONGEST_REST: usize = 1 << 20;

/// What must not be shown, in no order.
pub fn scan(redactor: Redactor<'_>, meter: &Meter, text: &[u8], kind: Kind) -> Result<Found, OutOfMemory> {
    let mut scan = Scan {
        redactor,
        meter,
        hidden: Vec::new(),
        secrets: Secrets::default(),
        literals: Literals::Shown,
        is_pieced: false,
        is_unpaired: false,
        is_cut_list: false,
        is_preparing: false,
        takes_parameters: false,
    };
    if kind == Kind::Arguments {
        scan.literals = Literals::Hidden;
    }
    let outermost = Level::new(text, Places::From(0), 0, kind != Kind::Statement);
    scan.level(&outermost)?;
    outermost.is_broken_off.set(false);
    if scan.is_pieced && scan.literals == Literals::Shown {
        scan.literals = Literals::HiddenUnlessRead;
        scan.level(&outermost)?;
    }
    let Scan { hidden, secrets, is_pieced, takes_parameters, .. } = scan;
    Ok(Found { hidden, secrets, is_pieced, takes_parameters, halt: None })
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
    /// Everything from some place on is hidden.
    is_broken_off: Cell<bool>,
}

/// Where the bytes of a text stand in the outermost one.
#[derive(Clone, Copy)]
enum Places<'t> {
    /// One after the other, from there on.
    From(usize),
    /// Each at its own place; after the last one comes where they end.
    Each(&'t [u32]),
}

impl<'t> Level<'t> {
    fn new(text: &'t [u8], places: Places<'t>, depth: u8, prose: bool) -> Self {
        Self { text, places, depth, prose, is_broken_off: Cell::new(false) }
    }

    fn slice(&self, (start, end): Place) -> &'t [u8] {
        self.text.get(start..end).unwrap_or_default()
    }

    fn place(&self, here: usize) -> usize {
        match self.places {
            Places::From(start) => start + here,
            Places::Each(places) => places.get(here).or(places.last()).map_or(0, |place| *place as usize),
        }
    }

    /// A part of the text as a text of its own.
    fn within(&self, (start, end): Place) -> Level<'t> {
        let places = match self.places {
            Places::From(from) => Places::From(from + start),
            Places::Each(places) => Places::Each(places.get(start..=end).unwrap_or_default()),
        };
        Level::new(self.slice((start, end)), places, self.depth + 1, false)
    }
}

struct Scan<'a> {
    redactor: Redactor<'a>,
    meter: &'a Meter,
    hidden: Vec<Place>,
    secrets: Secrets,
    literals: Literals,
    /// Somewhere a statement is put together from pieces, of which one may be a secret.
    is_pieced: bool,
    /// In a text within, a quote has no end.
    is_unpaired: bool,
    /// In a text within, a list of options has no end.
    is_cut_list: bool,
    /// A statement is prepared, which another one may execute.
    is_preparing: bool,
    /// A function of ours takes a secret that does not stand there.
    takes_parameters: bool,
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
        let mut lexer = Lexer::new(level.text, self.redactor.strings, level.prose, self.meter);
        lexer.reads_literals |= self.literals == Literals::Hidden;
        let mut statement = Statement::default();
        let mut before: Option<Token> = None;
        let mut first_literal = None;
        while let Some(token) = lexer.next() {
            match token.class {
                Class::Comment => {
                    self.comment(level, &token, &lexer, statement.objects())?;
                    if token.closed {
                        continue;
                    }
                }
                Class::Word if before.is_some_and(|before| begins_anew(level, &before, &token, &lexer)) => {
                    return self.mismatched(level, &before.unwrap_or(token));
                }
                Class::Symbol(b';') => statement = Statement::default(),
                Class::Name { .. } if is_no_name(level, &token) => return self.mismatched(level, &token),
                Class::Word | Class::Name { .. } => {
                    if self.word(level, &token, &mut lexer, &mut statement)? == End::Open {
                        return Ok(true);
                    }
                }
                Class::Literal(_) if before.is_some_and(|before| is_escape(level, &before, &token)) => {}
                // A statement about a user mapping has literals in its list only: an apostrophe in a name or in prose.
                Class::Literal(_) if level.prose && statement.is_of_mapping => {
                    return self.break_off(level, token.start).map(|()| false);
                }
                Class::Literal(_) => {
                    first_literal = first_literal.or(Some(token.start));
                    let is_told = before.is_some_and(|before| self.is_telling(level, &before, &lexer));
                    self.literal(level, &token, &lexer, statement.is_of_mapping || is_told)?;
                }
                Class::Number => {
                    statement.take(Keyword::Other);
                    if self.literals != Literals::Shown && is_piece(level, before.as_ref(), &token) {
                        self.hide_number(level, &token, self.literals == Literals::Hidden)?;
                    }
                }
                _ => statement.take(Keyword::Other),
            }
            if !token.closed {
                return self.unclosed(level, &token, first_literal);
            }
            lexer.reads_literals = !level.prose || statement.is_of_mapping || self.literals == Literals::Hidden;
            before = Some(token);
        }
        Ok(statement.waits_for_options())
    }

    /// Quotes do not come in pairs, so that nobody knows what is inside them and what outside.
    fn unclosed(
        &mut self,
        level: &Level<'_>,
        token: &Token,
        first_literal: Option<usize>,
    ) -> Result<bool, OutOfMemory> {
        self.is_unpaired |= level.depth > 0;
        let is_certain = match token.class {
            Class::Comment => true,
            Class::Literal(_) => level.depth == 0,
            _ => level.depth == 0 && !level.prose,
        };
        if is_certain {
            self.break_off(level, first_literal.unwrap_or(token.start))?;
        }
        Ok(false)
    }

    /// A name cannot be one, so that double quotes do not come in pairs; or a literal.
    fn mismatched(&mut self, level: &Level<'_>, token: &Token) -> Result<bool, OutOfMemory> {
        self.break_off(level, token.start)?;
        Ok(level.depth > 0)
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
        if statement.is_broken_by(keyword) && !is_uescape(level, token) {
            return self.ended(level, lexer, End::Broken(token.start));
        }
        if level.prose && self.hands_secret(level, token, lexer) {
            return self.ended(level, lexer, End::Broken(token.end));
        }
        self.is_preparing |= keyword == Keyword::Prepare;
        statement.take(keyword);
        let may_be_ours = !is_word || token.end - token.start >= ours::SHORTEST;
        if keyword != Keyword::Option && !may_be_ours {
            return Ok(End::Closed);
        }
        let mut ahead = Lexer { reads_literals: true, ..*lexer };
        let Some(next) = behind(level, &mut ahead, token, next_significant) else { return Ok(End::Closed) };
        if !next.is_symbol(b'(') {
            // Another sign in the place of the parenthesis.
            let is_broken = keyword == Keyword::Option
                && matches!(next.class, Class::Name { .. })
                && !statement.objects().is_empty();
            let end = if is_broken { End::Broken(next.start) } else { End::Closed };
            return self.ended(level, lexer, end);
        }
        if keyword == Keyword::Option {
            *lexer = ahead;
            let start = lexer.place;
            let end = self.list(level, lexer, statement)?;
            self.comments_of_list(level, (start, lexer.place), lexer, statement.objects())?;
            statement.has_options = true;
            // In prose the statement may end here.
            statement.is_of_mapping &= !level.prose;
            return self.ended(level, lexer, end);
        }
        if let Some(function) = self.function(level, token, lexer)? {
            *lexer = ahead;
            self.arguments(level, lexer, function)?;
        }
        Ok(End::Closed)
    }

    /// Whether a name that tells of a secret has something in quotes behind it, in whatever spelling.
    fn hands_secret(&self, level: &Level<'_>, token: &Token, lexer: &Lexer<'_>) -> bool {
        let rest = level.slice((token.end, level.text.len()));
        let filling = |byte: &&u8| byte.is_ascii_whitespace() || b"=:\\\"".contains(byte);
        let mut rest = rest.iter().skip_while(filling).skip_while(|byte| b"eEnNbBxXuU&".contains(byte));
        rest.next().is_some_and(|byte| b"'$".contains(byte)) && self.is_telling(level, token, lexer)
    }

    fn ended(&mut self, level: &Level<'_>, lexer: &mut Lexer<'_>, end: End) -> Result<End, OutOfMemory> {
        if let End::Broken(from) = end {
            self.break_off(level, from)?;
            lexer.place = level.text.len();
            // What breaks a list in a literal may be that quotes are not in pairs, or a piece that something is put behind.
            return Ok(if level.depth > 0 { End::Open } else { End::Closed });
        }
        Ok(end)
    }

    /// Hides everything from there on.
    fn break_off(&mut self, level: &Level<'_>, from: usize) -> Result<(), OutOfMemory> {
        let rest = level.slice((from, level.text.len()));
        self.hide(level, (from, level.text.len()))?;
        if level.is_broken_off.replace(true) {
            return Ok(());
        }
        // An error names the word at which the statement broke, or quotes all that is left.
        let ends = |byte: &u8| byte.is_ascii_whitespace() || b"'\"(),;=".contains(byte);
        let unquoted = rest.iter().take_while(|byte| b"'\"=$".contains(byte)).count();
        let words = rest.get(unquoted..).unwrap_or_default().split(ends).take(4);
        words.filter(|word| word.len() <= LONGEST_REST).try_for_each(|word| self.secrets.add(word))?;
        if rest.len() <= LONGEST_REST { self.secrets.add(rest) } else { Ok(()) }
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
        self.secrets.add(&bytes_of(level.text, token, lexer)?)
    }

    /// Hides a number, which is a value without quotes.
    fn hide_number(&mut self, level: &Level<'_>, token: &Token, is_secret: bool) -> Result<(), OutOfMemory> {
        let place = (token.start, token.end);
        self.hide(level, place)?;
        let number = level.slice(place);
        if is_secret && number.len() >= LEAST_NUMBER { self.secrets.add(number) } else { Ok(()) }
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
            let Some(token) = next_of_list(lexer) else { return Ok(self.open(level)) };
            let name = match token.class {
                Class::Symbol(b')') => return Ok(End::Closed),
                Class::Word if is_action(level, &token) && !has_value(lexer) => match next_of_list(lexer) {
                    Some(name) => name,
                    None => return Ok(self.open(level)),
                },
                _ => token,
            };
            match name.class {
                Class::Word | Class::Name { .. } if is_name(level, &name, lexer) => {}
                Class::Symbol(b'%') if self.fill_in(level, lexer) => {}
                _ => return Ok(End::Broken(name.start)),
            }
            let is_dropped = level.slice((token.start, token.end)).eq_ignore_ascii_case(b"drop");
            let is_certain = || !statement.objects().is_empty() || self.is_telling(level, &name, lexer);
            if !is_dropped && lacks_value(lexer) && is_certain() {
                return Ok(End::Broken(if has_dollar(level, &name) { name.start } else { name.end }));
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
        let Some(value) = behind(level, lexer, name, next_of_list) else { return Ok(Some(self.open(level))) };
        let from = |value: &Token| if has_dollar(level, name) { name.start } else { value.start };
        match value.class {
            Class::Symbol(b',') => return Ok(None),
            Class::Symbol(b')') => return Ok(Some(End::Closed)),
            Class::Literal(_) if value.closed => {}
            // In a text within, EXECUTE … USING has the value.
            Class::Parameter => self.is_pieced |= is_secret && level.depth > 0,
            Class::Symbol(b'%') if self.fill_in(level, lexer) => {
                self.is_pieced |= is_secret;
                if is_secret && level.prose {
                    return Ok(Some(End::Broken(value.start)));
                }
            }
            _ => {
                self.is_cut_list |= level.depth > 0 && !value.closed;
                return Ok(Some(End::Broken(from(&value))));
            }
        }
        let behind = behind(level, lexer, &value, next_of_list);
        let end = match behind.map(|token| token.class) {
            Some(Class::Symbol(b',')) => None,
            Some(Class::Symbol(b')')) => Some(End::Closed),
            None => Some(self.open(level)),
            Some(_) => {
                self.is_cut_list |= level.depth > 0 && matches!(value.class, Class::Literal(_));
                return Ok(Some(End::Broken(from(&value))));
            }
        };
        if is_secret && matches!(value.class, Class::Literal(_)) {
            self.is_pieced |= level.depth > 0 && has_fill_in(level.slice(value.inside));
            self.hide_literal(level, &value, lexer)?;
        }
        Ok(end)
    }

    /// Reads the comments of a list of options: an option may have been taken out by them.
    fn comments_of_list(
        &mut self,
        level: &Level<'_>,
        (start, end): Place,
        lexer: &Lexer<'_>,
        on: &[ObjectType],
    ) -> Result<(), OutOfMemory> {
        let list = level.slice((start, end));
        if memchr::memmem::find(list, b"--").is_none() && memchr::memmem::find(list, b"/*").is_none() {
            return Ok(());
        }
        let mut lexer = Lexer { place: start, ..*lexer };
        while let Some(token) = lexer.next().filter(|token| token.end <= end) {
            if token.class == Class::Comment {
                self.options_in_comment(level, &token, on)?;
            }
        }
        Ok(())
    }

    /// Reads a comment that is not in a list: it may hold statements, or a line of one.
    fn comment(
        &mut self,
        level: &Level<'_>,
        token: &Token,
        lexer: &Lexer<'_>,
        on: &[ObjectType],
    ) -> Result<(), OutOfMemory> {
        let was_cut = std::mem::take(&mut self.is_cut_list);
        if !self.inner(level, token, lexer)? {
            self.options_in_comment(level, token, on)?;
        }
        // What ends in it goes on behind it: the value of an option has ended the comment too soon.
        let is_cut = std::mem::replace(&mut self.is_cut_list, was_cut);
        let is_block = level.slice((token.start, token.start + 2)) == b"/*";
        if is_cut && is_block { self.break_off(level, token.end) } else { Ok(()) }
    }

    /// Hides the values of options that stand in a comment without a list around them.
    fn options_in_comment(&mut self, level: &Level<'_>, token: &Token, on: &[ObjectType]) -> Result<(), OutOfMemory> {
        let inner = level.within(token.inside);
        let mut lexer = Lexer::new(inner.text, self.redactor.strings, false, self.meter);
        let mut before: Option<Token> = None;
        while let Some(token) = lexer.next() {
            if let (Class::Literal(_), Some(name)) = (token.class, &before) {
                let is_telling = self.is_telling(&inner, name, &lexer);
                let is_secret = || with_name(&inner, name, &lexer, |name| self.redactor.names.is_secret(on, name));
                let is_name = matches!(name.class, Class::Word | Class::Name { .. });
                if is_telling || is_name && token.closed && !on.is_empty() && is_secret()? {
                    self.hide_literal(&inner, &token, &lexer)?;
                }
            }
            before = Some(token);
        }
        Ok(())
    }

    /// The text ends within a list. Where it stands in a literal, something else is put behind it.
    fn open(&mut self, level: &Level<'_>) -> End {
        self.is_pieced |= level.depth > 0;
        self.is_cut_list |= level.depth > 0;
        End::Open
    }

    /// Whether `%`, which has been read, begins what format() or RAISE replaces; that is read too.
    fn fill_in(&self, level: &Level<'_>, lexer: &mut Lexer<'_>) -> bool {
        let length = fill_in_length(level.slice((lexer.place, level.text.len())));
        lexer.place += length.unwrap_or_default();
        length.is_some()
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
        let (mut before, mut is_type) = (None, false);
        while let Some(token) = next_significant(lexer) {
            let last = before.replace(token);
            is_type = goes_on_type(is_type, last.as_ref(), &token);
            if level.prose && is_doubtful(level, last.as_ref(), &token, argument) {
                return self.break_off(level, last.map_or(token.start, |last| last.start));
            }
            match token.class {
                Class::Literal(_) if last.is_some_and(|last| is_escape(level, &last, &token)) => {}
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
                Class::Number => {
                    is_said = true;
                    if argument != Argument::Public {
                        self.hide_number(level, &token, true)?;
                    }
                }
                Class::Parameter => {
                    is_said = true;
                    let is_open = argument != Argument::Public;
                    self.takes_parameters |= is_open;
                    // EXECUTE has the value, or in a text within EXECUTE … USING.
                    self.is_pieced |= is_open && (self.is_preparing || level.depth > 0);
                }
                Class::Word | Class::Name { .. } if depth == 0 && is_named_notation(lexer) => {
                    argument = with_name(level, &token, lexer, |name| function.argument_named(name))?;
                    is_said = argument == Argument::Public;
                }
                Class::Word if starts_with(level.slice((token.start, token.end)), b"null") => is_said = true,
                // Its value stands elsewhere.
                Class::Word | Class::Name { .. } if argument != Argument::Public && !is_type && is_variable(lexer) => {
                    self.is_pieced = true;
                    self.takes_parameters = true;
                }
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
            // No option has an array or an object for a value.
            let is_string = start.checked_sub(1).and_then(|before| decoded.bytes.get(before)) == Some(&b'"');
            let is_nested = !is_string && decoded.bytes.get(start).is_some_and(|byte| b"{[".contains(byte));
            if !is_nested && !self.redactor.names.is_secret(function.on, &key) {
                continue;
            }
            let place = |here: usize| decoded.places.get(here).map_or(token.inside.1, |place| *place as usize);
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
        let escapes =
            matches!(token.class, Class::Literal(Spelling::Escaping | Spelling::EscapingTwice | Spelling::Unicode));
        let is_plain = matches!(token.class, Class::Comment | Class::Literal(Spelling::Dollar))
            || !escapes && memchr::memchr(b'\'', written).is_none();
        if !escapes && !holds_words(written) {
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
        if !holds_words(&decoded.bytes) {
            return Ok(false);
        }
        for place in &mut decoded.places {
            *place = u32::try_from(level.place(*place as usize)).map_err(|_| OutOfMemory)?;
        }
        let inner = Level::new(&decoded.bytes, Places::Each(&decoded.places), level.depth + 1, false);
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
        let (was_pieced, was_unpaired) = (self.is_pieced, std::mem::take(&mut self.is_unpaired));
        let is_open = self.level(inner)?;
        // A body between dollars in which quotes are not in pairs has been ended too soon by its own delimiter.
        let is_cut = self.is_unpaired && token.class == Class::Literal(Spelling::Dollar);
        self.is_unpaired |= was_unpaired;
        self.is_pieced = was_pieced || is_literal && (self.is_pieced || is_open);
        // A piece is followed by an operator, a comma or a parenthesis. Where a word follows, quotes are not in pairs, and
        // what looks like a literal is what stands between two.
        let mut ahead = *lexer;
        let next = next_significant(&mut ahead);
        if is_literal
            && (is_open || is_cut)
            && next.is_some_and(|next| matches!(next.class, Class::Word | Class::Number))
        {
            self.break_off(level, token.start)?;
        }
        Ok(())
    }
}

/// The next token that is no comment, unless that has no end.
fn next_significant(lexer: &mut Lexer<'_>) -> Option<Token> {
    lexer.find(|token| token.class != Class::Comment || !token.closed)
}

/// Whether in prose the quotes around an argument are not what they seem: doubled once more, or with another escape.
fn is_doubtful(level: &Level<'_>, last: Option<&Token>, token: &Token, argument: Argument) -> bool {
    let is_literal = |token: &Token| matches!(token.class, Class::Literal(_));
    let is_word = matches!(token.class, Class::Word | Class::Number | Class::Name { .. } | Class::Symbol(b'\\'));
    let is_empty = is_literal(token) && token.inside.0 == token.inside.1;
    last.is_some_and(is_literal) && is_word && !is_uescape(level, token) || argument != Argument::Public && is_empty
}

fn is_uescape(level: &Level<'_>, token: &Token) -> bool {
    token.class == Class::Word && level.slice((token.start, token.end)).eq_ignore_ascii_case(b"uescape")
}

/// Whether what stands in double quotes is a list of options and no name.
fn is_no_name(level: &Level<'_>, token: &Token) -> bool {
    let name = level.slice(token.inside);
    let count = |wanted: u8| name.iter().filter(|byte| **byte == wanted).count();
    if name.contains(&b'(') && holds_words(name) {
        return count(b'(') != count(b')') || memchr::memchr2(b'\'', b'$', name).is_some();
    }
    memchr::memmem::find(name, b"',").is_some()
}

/// Whether a word is the name of an option. Where it has an apostrophe, double quotes may not come in pairs: then what is
/// behind them is not what stands behind a name.
fn is_name(level: &Level<'_>, name: &Token, lexer: &Lexer<'_>) -> bool {
    let written = level.slice(name.inside);
    if memchr::memchr(b'\'', written).is_none() {
        return name.closed;
    }
    let mut ahead = *lexer;
    let value = behind(level, &mut ahead, name, next_significant);
    let is_value = |value: &Token| value.closed && matches!(value.class, Class::Literal(_));
    let end = value.filter(is_value).and_then(|value| behind(level, &mut ahead, &value, next_significant));
    !level.prose
        && name.closed
        && memchr::memmem::find(written, b"',").is_none()
        && end.is_some_and(|end| matches!(end.class, Class::Symbol(b',' | b')')))
}

/// Whether a statement begins where none can, behind a literal: quotes do not come in pairs.
fn begins_anew(level: &Level<'_>, before: &Token, token: &Token, lexer: &Lexer<'_>) -> bool {
    const VERBS: [&[u8]; 12] = [
        b"alter", b"begin", b"call", b"create", b"declare", b"delete", b"drop", b"execute", b"insert", b"perform",
        b"select", b"update",
    ];
    let word = level.slice((token.start, token.end));
    let is_verb = || VERBS.iter().any(|verb| verb.eq_ignore_ascii_case(word));
    // The body of a function: its language, or a setting, may be a literal.
    let is_atomic = || {
        let next = next_significant(&mut { *lexer });
        next.is_some_and(|next| level.slice((next.start, next.end)).eq_ignore_ascii_case(b"atomic"))
    };
    !level.prose
        && matches!(before.class, Class::Literal(_))
        && (4..=7).contains(&word.len())
        && is_verb()
        && !is_atomic()
}

/// Whether a literal is the character that `UESCAPE` names.
fn is_escape(level: &Level<'_>, before: &Token, token: &Token) -> bool {
    is_uescape(level, before) && level.slice(token.inside).len() == 1
}

/// How long that is which makes `%`, the byte before, something that format() or RAISE replaces.
fn fill_in_length(rest: &[u8]) -> Option<usize> {
    let flags = rest.iter().take_while(|byte| byte.is_ascii_digit() || b"$-*".contains(byte)).count();
    rest.get(flags).filter(|byte| b"sIL".contains(byte)).map(|_| flags + 1)
}

/// Whether something in a value is to be replaced.
fn has_fill_in(value: &[u8]) -> bool {
    memchr::memchr_iter(b'%', value).any(|place| fill_in_length(value.get(place + 1..).unwrap_or_default()).is_some())
}

/// What follows a name or a value, `UESCAPE` and its character not counted.
fn behind(
    level: &Level<'_>,
    lexer: &mut Lexer<'_>,
    token: &Token,
    next: fn(&mut Lexer<'_>) -> Option<Token>,
) -> Option<Token> {
    let following = next(lexer)?;
    let may_name_escape = matches!(token.class, Class::Literal(Spelling::Unicode) | Class::Name { unicode: true });
    let is_uescape = is_uescape(level, &following);
    if !may_name_escape || !is_uescape {
        return Some(following);
    }
    let is_character = |named: &Token| matches!(named.class, Class::Literal(_)) && level.slice(named.inside).len() == 1;
    if next(lexer).as_ref().is_some_and(is_character) { next(lexer) } else { Some(following) }
}

/// The next token of a list of options. In prose a newline may be written as an escape, and what seems to be in a comment
/// is behind it.
fn next_of_list(lexer: &mut Lexer<'_>) -> Option<Token> {
    loop {
        let token = lexer.next()?;
        let written = lexer.text.get(token.start..token.end).unwrap_or_default();
        let may_have_ended = lexer.prose && (written.contains(&b'\\') || token.end == lexer.text.len());
        if token.class != Class::Comment || !token.closed || may_have_ended {
            return Some(token);
        }
    }
}

/// Whether a word says what is done to an option, unless that is its name.
fn is_action(level: &Level<'_>, token: &Token) -> bool {
    let word = level.slice((token.start, token.end));
    [&b"add"[..], b"set", b"drop"].iter().any(|action| action.eq_ignore_ascii_case(word))
}

/// Whether a value between dollars may have become a part of the name, since nothing stands between them.
fn has_dollar(level: &Level<'_>, name: &Token) -> bool {
    name.class == Class::Word && level.slice((name.start, name.end)).contains(&b'$')
}

/// Whether a number may be a piece of a statement: not where a format counts its arguments, nor in prose where a line is
/// told or a time.
fn is_piece(level: &Level<'_>, before: Option<&Token>, number: &Token) -> bool {
    match before.map(|before| before.class) {
        Some(Class::Symbol(b'%')) => false,
        _ if !level.prose => true,
        Some(Class::Symbol(b':')) | None => false,
        Some(Class::Word) => number.end - number.start >= LEAST_NUMBER,
        Some(_) => true,
    }
}

/// Whether a value follows, or nothing at all.
fn has_value(lexer: &Lexer<'_>) -> bool {
    let next = next_significant(&mut { *lexer }).map(|next| next.class);
    next.is_none_or(|class| matches!(class, Class::Literal(_) | Class::Symbol(b',' | b')') | Class::Parameter))
}

/// Whether an option ends with its name: only one that is dropped does.
fn lacks_value(lexer: &Lexer<'_>) -> bool {
    next_significant(&mut { *lexer }).is_some_and(|next| matches!(next.class, Class::Symbol(b',' | b')')))
}

/// Whether a name is that of a variable or a column, and not of a function or of the type of a literal.
fn is_variable(lexer: &Lexer<'_>) -> bool {
    let next = next_significant(&mut { *lexer }).map(|next| next.class);
    !matches!(next, Some(Class::Literal(_) | Class::Symbol(b'(' | b'.')))
}

/// Whether a token is part of the name of a type, which stands behind `::`.
fn goes_on_type(is_type: bool, last: Option<&Token>, token: &Token) -> bool {
    let follows = |byte| last.is_some_and(|last| last.is_symbol(byte));
    match token.class {
        Class::Symbol(b'.') => is_type,
        Class::Word | Class::Name { .. } => follows(b':') || is_type && follows(b'.'),
        _ => false,
    }
}

/// Whether `=>` or `:=` follows; `=&` is how XML begins the first.
fn is_named_notation(lexer: &Lexer<'_>) -> bool {
    let mut ahead = *lexer;
    let two =
        (next_significant(&mut ahead).map(|token| token.class), next_significant(&mut ahead).map(|token| token.class));
    matches!(
        two,
        (Some(Class::Symbol(b'=')), Some(Class::Symbol(b'>' | b'&')))
            | (Some(Class::Symbol(b':')), Some(Class::Symbol(b'=')))
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
        return Ok(act(&bytes_of(level.text, token, lexer)?));
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
