//! The strict meta-schema: a walk through a schema that refuses whatever would be ignored, would never apply or
//! would hurt the server.

use regex::Regex;
use serde_json::{Map, Value};

use crate::expression::Expressions;
use crate::json::step;
use crate::keyword::{self, DRAFT, FORMATS, KEYWORDS, KeywordRow, Place, Reach, Takes, Types};
use crate::reading::ValueType;
use crate::schema::{Node, SchemaError, Shape};
use crate::suggest::{perhaps, quoted_list, unknown};
use crate::survey::{Path, Survey, Use, Walk, direct_types};

/// Checks a schema and tells what it says.
pub(crate) fn check(root: &Value, shape: Shape) -> Result<Survey, SchemaError> {
    if !root.is_object() {
        return Err(SchemaError::new("", "a schema is a JSON object"));
    }
    let survey = Survey { types: direct_types(root, shape)?, ..Survey::default() };
    let mut checker = Checker { walk: Walk::new(root), expressions: Expressions::default(), survey, shape, root };
    checker.schema(root, &Spot::root(shape), "", 0)?;
    checker.definitions()?;
    Ok(checker.survey)
}

/// Where in the document the schema at hand applies.
#[derive(Debug, Clone)]
struct Spot {
    node: Node,
    path: Path,
    /// Whether it applies to every document.
    always: bool,
    /// Of a value: the types that it can have there.
    types: Vec<ValueType>,
    /// Whether the path names one option, and not all that fit a pattern or are left over.
    named: bool,
    /// The names of options to which it applies, when they are given by a pattern.
    pattern: Option<Regex>,
}

impl Spot {
    fn root(shape: Shape) -> Self {
        Self { node: shape.root(), path: Path::new(), always: true, types: Vec::new(), named: true, pattern: None }
    }

    /// The same place, in some case only.
    fn sometimes(&self) -> Self {
        Self { always: false, ..self.clone() }
    }

    fn is_own_option(&self, shape: Shape) -> bool {
        shape == Shape::Options && self.node == Node::OptionValue && self.always
    }
}

struct Checker<'s> {
    walk: Walk<'s>,
    expressions: Expressions,
    survey: Survey,
    shape: Shape,
    root: &'s Value,
}

type Checked = Result<(), SchemaError>;

fn fault(pointer: &str, message: impl Into<String>) -> Checked {
    Err(SchemaError::new(pointer, message))
}

impl<'s> Checker<'s> {
    fn schema(&mut self, schema: &'s Value, spot: &Spot, pointer: &str, depth: usize) -> Checked {
        self.walk.enter(depth, pointer)?;
        match schema {
            Value::Bool(allowed) => {
                self.note_boolean(*allowed, spot);
                Ok(())
            }
            Value::Object(keywords) => self.keywords(keywords, spot, pointer, depth),
            _ => fault(pointer, "a schema is a JSON object, true or false"),
        }
    }

    fn keywords(&mut self, keywords: &'s Map<String, Value>, spot: &Spot, pointer: &str, depth: usize) -> Checked {
        check_if(keywords, pointer)?;
        // Whatever else is wrong may be so because the type is.
        if let Some(value) = keywords.get("type") {
            check_type(value, spot, &step(pointer, "type"))?;
        }
        for (name, value) in keywords {
            let here = step(pointer, name);
            let Some(row) = keyword::find(name) else {
                return fault(&here, unknown_keyword(name));
            };
            self.check_place(row, spot, depth, &here)?;
            check_types(row, spot, &here)?;
            self.check_value(row, value, spot, &here)?;
            self.note(row, value, spot, &here);
            self.inside(row, value, keywords, spot, &here, depth)?;
        }
        Ok(())
    }

    fn check_place(&self, row: &KeywordRow, spot: &Spot, depth: usize, pointer: &str) -> Checked {
        let name = row.name;
        let is_value = spot.node.is_value();
        match row.place {
            Place::Root if depth > 0 => fault(pointer, format!("\"{name}\" can only stand at the root of the schema")),
            Place::Objects | Place::Options if is_value => {
                fault(pointer, format!("\"{name}\" is about objects and would say nothing about this value"))
            }
            Place::Options if spot.node != Node::Options => fault(
                pointer,
                format!("\"{name}\" can only be used on options; the other parts of the context are known by name"),
            ),
            Place::Values if !is_value => {
                fault(pointer, format!("\"{name}\" is about values and would say nothing about this object"))
            }
            Place::OwnOptions if !spot.is_own_option(self.shape) => fault(
                pointer,
                format!("\"{name}\" has a meaning only for an option of the object itself, where it always applies"),
            ),
            Place::OwnOptions if !spot.named && (spot.pattern.is_none() || name != "writeOnly") => {
                fault(pointer, format!("\"{name}\" has a meaning only for an option that is named"))
            }
            _ => Ok(()),
        }
    }

    /// Holds the keyword's own value against what it takes. Schemas inside are looked at later.
    fn check_value(&mut self, row: &KeywordRow, value: &Value, spot: &Spot, pointer: &str) -> Checked {
        match row.takes {
            Takes::TypeName => Ok(()),
            Takes::Values => check_values(value, spot, pointer),
            Takes::Anything if row.constrains => check_constant(value, spot, pointer),
            Takes::Pattern => self.expression(value.as_str(), pointer).map(drop),
            Takes::Format => match value.as_str() {
                Some(format) if FORMATS.contains(&format) => Ok(()),
                Some(format) => fault(pointer, unknown("format", format, FORMATS.iter().copied())),
                None => fault(pointer, "expected the name of a format"),
            },
            Takes::Names => self.check_names(value, spot, pointer),
            Takes::NamesByName => self.check_names_by_name(value, spot, pointer),
            Takes::Boolean if row.name == "writeOnly" && spot.pattern.is_some() && value.as_bool() != Some(true) => {
                fault(pointer, "only an option that is named can be said to be public")
            }
            takes => mismatch(takes, value).map_or(Ok(()), |expected| fault(pointer, format!("expected {expected}"))),
        }
    }

    fn expression(&mut self, pattern: Option<&str>, pointer: &str) -> Result<Regex, SchemaError> {
        let pattern = pattern.ok_or_else(|| SchemaError::new(pointer, "expected a regular expression, a string"))?;
        self.expressions.compile(pattern).map_err(|message| SchemaError::new(pointer, message))
    }

    fn check_names(&mut self, value: &Value, spot: &Spot, pointer: &str) -> Checked {
        let Some(elements) = value.as_array() else { return fault(pointer, "expected an array of names") };
        let mut seen = std::collections::BTreeSet::new();
        for (index, element) in elements.iter().enumerate() {
            let here = step(pointer, &index.to_string());
            let Some(name) = element.as_str() else { return fault(&here, "expected a name, a string") };
            if !seen.insert(name) {
                return fault(&here, "the name is given twice");
            }
            self.child(spot, name, &here)?;
        }
        Ok(())
    }

    fn check_names_by_name(&mut self, value: &Value, spot: &Spot, pointer: &str) -> Checked {
        let Some(entries) = value.as_object() else { return fault(pointer, "expected an object of arrays of names") };
        for (name, names) in entries {
            let here = step(pointer, name);
            self.child(spot, name, &here)?;
            self.check_names(names, spot, &here)?;
        }
        Ok(())
    }

    /// The place below of that name, which is noted. Among known names an unknown one is refused: it would never be
    /// there.
    fn child(&mut self, spot: &Spot, name: &str, pointer: &str) -> Result<Spot, SchemaError> {
        let Some(node) = spot.node.child(name) else {
            return Err(SchemaError::new(pointer, unknown("part of the context here", name, spot.node.keys())));
        };
        let mut path = spot.path.clone();
        path.push(name.to_owned());
        match (spot.node, node) {
            (Node::Context, _) => drop(self.survey.parts.insert(name.to_owned())),
            (_, Node::OptionValue) => {
                self.survey.named.entry(path.clone()).or_insert_with(|| pointer.to_owned());
            }
            _ => {}
        }
        let types = match node {
            Node::OptionValue => vec![self.survey.types.get(&path).copied().unwrap_or(ValueType::String)],
            Node::Field(value_type) => vec![value_type],
            _ => Vec::new(),
        };
        Ok(Spot { node, path, always: spot.always, types, named: true, pattern: None })
    }

    /// The place of all options below that the filter lets pass: strings, and of the typed ones those.
    fn unnamed(&self, spot: &Spot, applies: impl Fn(&str) -> bool) -> Spot {
        let below = |path: &Path| path.split_last().is_some_and(|(name, rest)| rest == spot.path && applies(name));
        let typed = self.survey.types.iter().filter(|(path, _)| below(path)).map(|(_, value_type)| *value_type);
        let mut types: Vec<ValueType> = std::iter::once(ValueType::String).chain(typed).collect();
        types.sort_unstable();
        types.dedup();
        let path = spot.path.clone();
        Spot { node: Node::OptionValue, path, always: spot.always, types, named: false, pattern: None }
    }

    /// Looks at the schemas that the keyword holds.
    fn inside(
        &mut self,
        row: &KeywordRow,
        value: &'s Value,
        beside: &'s Map<String, Value>,
        spot: &Spot,
        pointer: &str,
        depth: usize,
    ) -> Checked {
        let depth = depth + 1;
        match row.takes {
            Takes::Schema(_) => self.schema(value, &spot.sometimes(), pointer, depth),
            Takes::Schemas(reach) => self.list(value, reach, spot, pointer, depth),
            Takes::Reference => self.reference(value, spot, pointer, depth),
            Takes::Properties => self.properties(value, spot, pointer, depth),
            Takes::PatternProperties => self.pattern_properties(value, spot, pointer, depth),
            Takes::OtherProperties => {
                let named = beside.get("properties").and_then(Value::as_object);
                let others = self.unnamed(spot, |name| !named.is_some_and(|named| named.contains_key(name)));
                self.schema(value, &others.sometimes(), pointer, depth)
            }
            Takes::PropertyNames => {
                let names = Spot { node: Node::Name, types: vec![ValueType::String], named: false, ..spot.sometimes() };
                self.schema(value, &names, pointer, depth)
            }
            Takes::DependentSchemas => {
                for (name, schema) in value.as_object().into_iter().flatten() {
                    let here = step(pointer, name);
                    self.child(spot, name, &here)?;
                    self.schema(schema, &spot.sometimes(), &here, depth)?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn list(&mut self, value: &'s Value, reach: Reach, spot: &Spot, pointer: &str, depth: usize) -> Checked {
        let spot = if reach == Reach::Always { spot.clone() } else { spot.sometimes() };
        for (index, schema) in value.as_array().into_iter().flatten().enumerate() {
            self.schema(schema, &spot, &step(pointer, &index.to_string()), depth)?;
        }
        Ok(())
    }

    fn reference(&mut self, value: &'s Value, spot: &Spot, pointer: &str, depth: usize) -> Checked {
        let (definition, place) = self.walk.open(value.as_str().unwrap_or_default(), pointer)?;
        self.schema(definition, spot, &place, depth)?;
        self.walk.close();
        Ok(())
    }

    fn properties(&mut self, value: &'s Value, spot: &Spot, pointer: &str, depth: usize) -> Checked {
        for (name, schema) in value.as_object().into_iter().flatten() {
            let here = step(pointer, name);
            let child = self.child(spot, name, &here)?;
            // What is named is known, even when nothing is said of it.
            let _ = self.annotation(&child);
            self.schema(schema, &child, &here, depth)?;
        }
        Ok(())
    }

    fn pattern_properties(&mut self, value: &'s Value, spot: &Spot, pointer: &str, depth: usize) -> Checked {
        for (pattern, schema) in value.as_object().into_iter().flatten() {
            let here = step(pointer, pattern);
            let names = self.expression(Some(pattern), &here)?;
            let fitting = self.unnamed(spot, |name| names.is_match(name));
            self.schema(schema, &Spot { pattern: Some(names), ..fitting }, &here, depth)?;
        }
        Ok(())
    }

    /// Definitions that nothing refers to are held against the table as well: a slip in one would show only later.
    fn definitions(&mut self) -> Checked {
        let definitions = self.root.get("$defs").and_then(Value::as_object);
        for (name, definition) in definitions.into_iter().flatten() {
            let here = step("/$defs", name);
            if !name.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c)) || name.is_empty() {
                return fault(&here, "the name of a definition is made of letters, digits and _ . -");
            }
            for keyword in definition.as_object().into_iter().flat_map(Map::keys) {
                if keyword::find(keyword).is_none() {
                    return fault(&step(&here, keyword), unknown_keyword(keyword));
                }
            }
        }
        Ok(())
    }

    fn note_boolean(&mut self, allowed: bool, spot: &Spot) {
        if let Some(annotation) = self.annotation(spot) {
            annotation.forbidden |= !allowed;
        }
    }

    fn annotation(&mut self, spot: &Spot) -> Option<&mut crate::survey::Annotation> {
        let is_one = spot.named && spot.is_own_option(self.shape);
        let name = spot.path.last().filter(|_| is_one)?;
        Some(self.survey.annotations.entry(name.clone()).or_default())
    }

    /// Notes what the keyword says of an option.
    fn note(&mut self, row: &'static KeywordRow, value: &Value, spot: &Spot, pointer: &str) {
        let plain_type = row.takes == Takes::TypeName && value.as_str() == Some(ValueType::String.name());
        let tells = !row.on_secrets || (row.takes == Takes::TypeName && !plain_type);
        if tells && spot.named && spot.node == Node::OptionValue {
            self.survey.uses.push(Use { path: spot.path.clone(), pointer: pointer.to_owned(), keyword: row.name });
        }
        if row.takes == Takes::Names && row.name == "required" && spot.always && self.shape == Shape::Options {
            let names = value.as_array().into_iter().flatten().filter_map(Value::as_str);
            self.survey.required.extend(names.map(str::to_owned));
        }
        self.survey.looks_at_unnamed |= row.place == Place::Options;
        if let (Some(names), "writeOnly", Some(true)) = (&spot.pattern, row.name, value.as_bool()) {
            self.survey.secret_patterns.push(names.clone());
        }
        let always = spot.always;
        if let Some(annotation) = self.annotation(spot) {
            annotation.constrained |= row.constrains && !plain_type;
            if row.name == "description" && always {
                // What stands beside a $ref is said of this option, and comes after what the definition says.
                annotation.description = value.as_str().map(str::to_owned);
            }
            annotate(annotation, row.name, value);
        }
    }
}

fn annotate(annotation: &mut crate::survey::Annotation, keyword: &str, value: &Value) {
    let is_true = value.as_bool() == Some(true);
    let single = |value: &Value| value.as_array().filter(|all| all.len() == 1).and_then(|all| all.first()).cloned();
    let suggestion = match keyword {
        "readOnly" => return annotation.read_only |= is_true,
        "deprecated" => return annotation.deprecated |= is_true,
        "writeOnly" => return annotation.write_only = Some(is_true || annotation.write_only == Some(true)),
        "const" => (0, Some(value.clone())),
        "enum" => (1, single(value)),
        "default" => (3, Some(value.clone())),
        "examples" => (crate::survey::Annotation::EXAMPLE, value.as_array().and_then(|all| all.first()).cloned()),
        _ => return,
    };
    if let (rank, Some(text)) = (suggestion.0, suggestion.1.as_ref().and_then(as_option_value)) {
        annotation.suggestions.entry(rank).or_insert(text);
    }
}

/// The text of an option that reads as the value.
fn as_option_value(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

fn unknown_keyword(name: &str) -> String {
    let near = perhaps(name, KEYWORDS.iter().map(|row| row.name));
    format!("\"{}\" is not a keyword that rules can use{near}", crate::secret::escaped(name))
}

/// `then` and `else` are ignored without `if`, and `if` without them.
fn check_if(keywords: &Map<String, Value>, pointer: &str) -> Checked {
    let has = |name: &str| keywords.contains_key(name);
    match ["then", "else"].into_iter().find(|name| has(name)) {
        Some(branch) if !has("if") => {
            fault(&step(pointer, branch), format!("\"{branch}\" says nothing without \"if\""))
        }
        None if has("if") => fault(&step(pointer, "if"), "\"if\" says nothing without \"then\" or \"else\""),
        _ => Ok(()),
    }
}

fn check_types(row: &KeywordRow, spot: &Spot, pointer: &str) -> Checked {
    let name = row.name;
    match row.types {
        Types::Numeric if !spot.types.iter().all(|value_type| value_type.is_numeric()) => {
            fault(pointer, format!("\"{name}\" needs the type integer or number, without which the value is a string"))
        }
        Types::Text if spot.types.iter().any(|value_type| *value_type != ValueType::String) => {
            fault(pointer, format!("\"{name}\" is about strings, and the value has another type"))
        }
        _ => Ok(()),
    }
}

fn check_type(value: &Value, spot: &Spot, pointer: &str) -> Checked {
    let names = ValueType::ALL.map(ValueType::name);
    let Some(name) = value.as_str() else {
        return fault(pointer, format!("expected one of {}, and not an array", quoted_list(names)));
    };
    if !spot.node.is_value() {
        return if name == "object" { Ok(()) } else { fault(pointer, "this is an object; expected \"object\"") };
    }
    let Some(value_type) = ValueType::from_name(name) else { return fault(pointer, unknown("type", name, names)) };
    match spot.types.iter().find(|possible| **possible != value_type) {
        Some(other) => fault(pointer, other_type(spot, *other)),
        None => Ok(()),
    }
}

fn other_type(spot: &Spot, other: ValueType) -> String {
    let name = other.name();
    if spot.node == Node::OptionValue {
        format!(
            "a value here is read as {name}; the type of an option is taken only from properties.<name>.type, reached \
             directly or through allOf and $ref"
        )
    } else {
        format!("the value is a {name}")
    }
}

fn check_values(value: &Value, spot: &Spot, pointer: &str) -> Checked {
    match value.as_array() {
        Some(values) if values.is_empty() => fault(pointer, "no value satisfies an empty list"),
        Some(values) => {
            let mut numbered = values.iter().enumerate();
            numbered.try_for_each(|(index, value)| check_constant(value, spot, &step(pointer, &index.to_string())))
        }
        None => fault(pointer, "expected an array of values"),
    }
}

fn check_constant(value: &Value, spot: &Spot, pointer: &str) -> Checked {
    match spot.types.iter().find(|value_type| !value_type.holds(value)) {
        Some(value_type) => {
            fault(pointer, format!("no value of the type {}, which the value has, equals this", value_type.name()))
        }
        None => Ok(()),
    }
}

/// What the keyword takes, when its value is something else.
fn mismatch(takes: Takes, value: &Value) -> Option<&'static str> {
    let (fits, expected) = match takes {
        Takes::Text => (value.is_string(), "a string"),
        Takes::Reference => (value.is_string(), "\"#/$defs/\" and the name of a definition"),
        Takes::Draft => (value.as_str() == Some(DRAFT), "the draft 2020-12, the only one that rules are written in"),
        Takes::Boolean => (value.is_boolean(), "true or false"),
        Takes::Examples => (value.is_array(), "an array of values"),
        Takes::Number => (value.is_number(), "a number"),
        Takes::PositiveNumber => (value.as_f64().is_some_and(|number| number > 0.0), "a number greater than 0"),
        Takes::Count => (value.is_u64(), "a whole number, not negative"),
        Takes::Schemas(_) => (value.as_array().is_some_and(|all| !all.is_empty()), "an array of schemas, not empty"),
        Takes::Properties | Takes::PatternProperties | Takes::DependentSchemas | Takes::Definitions => {
            (value.is_object(), "an object of schemas")
        }
        _ => (true, ""),
    };
    (!fits).then_some(expected)
}

#[cfg(test)]
mod tests;
