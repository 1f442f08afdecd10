//! What the walk through a schema finds out: types by which options are read, annotations, names.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use serde_json::{Map, Value};

use crate::json::step;
use crate::reading::ValueType;
use crate::schema::{Node, SchemaError, Shape};

/// Keys from the root of a document to a value.
pub(crate) type Path = Vec<String>;

/// Most nodes that a schema may have once every `$ref` in it is replaced by what it stands for.
pub(crate) const LARGEST_EXPANSION: usize = 10_000;

/// Deepest nesting, `$ref`s included. Each level costs stack while the schema is compiled and applied.
const DEEPEST: usize = 64;

/// What a rule says of one option of its object, wherever it always applies.
#[derive(Debug, Clone, Default)]
pub(crate) struct Annotation {
    pub read_only: bool,
    pub write_only: Option<bool>,
    pub deprecated: bool,
    /// Whether some value of it can violate the schema.
    pub constrained: bool,
    /// Whether it may not be there at all.
    pub forbidden: bool,
    /// What the schema's author says of the option.
    pub description: Option<String>,
    /// Values that may mend a fault, the likeliest first.
    pub suggestions: BTreeMap<usize, String>,
}

impl Annotation {
    /// The place among suggestions of a value that is no more than an example.
    pub(crate) const EXAMPLE: usize = 2;
}

/// A keyword that tells more of an option's value than a secret may tell.
#[derive(Debug, Clone)]
pub(crate) struct Use {
    pub path: Path,
    pub pointer: String,
    pub keyword: &'static str,
}

/// Everything that the walk finds out.
#[derive(Debug, Clone, Default)]
pub(crate) struct Survey {
    pub types: BTreeMap<Path, ValueType>,
    /// Of the options of the object itself, by name.
    pub annotations: BTreeMap<String, Annotation>,
    /// Names of options that are secrets by `patternProperties`.
    pub secret_patterns: Vec<Regex>,
    pub required: BTreeSet<String>,
    /// Options that the schema names, with the first place where it does.
    pub named: BTreeMap<Path, String>,
    /// Whether the schema looks at options that it does not name.
    pub looks_at_unnamed: bool,
    pub uses: Vec<Use>,
    /// Keys of the context document that the schema names.
    pub parts: BTreeSet<String>,
}

/// The part of a walk that keeps it short: what `$ref` stands for, and how much has been seen.
pub(crate) struct Walk<'s> {
    definitions: Option<&'s Map<String, Value>>,
    open: Vec<&'s str>,
    nodes: usize,
}

impl<'s> Walk<'s> {
    pub(crate) fn new(root: &'s Value) -> Self {
        Self { definitions: root.get("$defs").and_then(Value::as_object), open: Vec::new(), nodes: 0 }
    }

    /// Counts one node.
    pub(crate) fn enter(&mut self, depth: usize, pointer: &str) -> Result<(), SchemaError> {
        self.nodes += 1;
        if self.nodes > LARGEST_EXPANSION {
            let message = format!("the schema has more than {LARGEST_EXPANSION} nodes once each $ref is replaced");
            return Err(SchemaError::new("", message));
        }
        if depth > DEEPEST {
            return Err(SchemaError::new(pointer, format!("nested more than {DEEPEST} levels deep, $ref included")));
        }
        Ok(())
    }

    /// The definition that a `$ref` stands for, its name and its pointer. [`Walk::close`] ends the visit.
    pub(crate) fn open(&mut self, reference: &'s str, pointer: &str) -> Result<(&'s Value, String), SchemaError> {
        let Some(name) = reference.strip_prefix("#/$defs/") else {
            return Err(SchemaError::new(pointer, "a $ref can only be \"#/$defs/\" and the name of a definition"));
        };
        let Some(definition) = self.definitions.and_then(|definitions| definitions.get(name)) else {
            let known = self.definitions.into_iter().flat_map(Map::keys).map(String::as_str);
            let near = crate::suggest::perhaps(name, known);
            return Err(SchemaError::new(pointer, format!("$defs has no such definition{near}")));
        };
        if self.open.contains(&name) {
            return Err(SchemaError::new(pointer, "the $ref leads back to itself"));
        }
        self.open.push(name);
        Ok((definition, step("/$defs", name)))
    }

    pub(crate) fn close(&mut self) {
        self.open.pop();
    }
}

/// The types by which options are read: `properties.<name>.type`, reached directly or through `allOf` and `$ref`.
pub(crate) fn direct_types(root: &Value, shape: Shape) -> Result<BTreeMap<Path, ValueType>, SchemaError> {
    let mut collector = Types { walk: Walk::new(root), types: BTreeMap::new() };
    collector.collect(root, shape.root(), &mut Vec::new(), "", 0)?;
    Ok(collector.types)
}

struct Types<'s> {
    walk: Walk<'s>,
    types: BTreeMap<Path, ValueType>,
}

impl<'s> Types<'s> {
    fn collect(
        &mut self,
        schema: &'s Value,
        node: Node,
        path: &mut Path,
        pointer: &str,
        depth: usize,
    ) -> Result<(), SchemaError> {
        self.walk.enter(depth, pointer)?;
        if node == Node::OptionValue {
            self.note_type(schema, path, pointer)?;
        }
        for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let Some(child) = node.child(name) else { continue };
            path.push(name.clone());
            self.collect(property, child, path, &step(&step(pointer, "properties"), name), depth + 1)?;
            path.pop();
        }
        for (index, part) in schema.get("allOf").and_then(Value::as_array).into_iter().flatten().enumerate() {
            self.collect(part, node, path, &step(&step(pointer, "allOf"), &index.to_string()), depth + 1)?;
        }
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            let (definition, place) = self.walk.open(reference, &step(pointer, "$ref"))?;
            self.collect(definition, node, path, &place, depth + 1)?;
            self.walk.close();
        }
        Ok(())
    }

    fn note_type(&mut self, schema: &Value, path: &Path, pointer: &str) -> Result<(), SchemaError> {
        let named = schema.get("type").and_then(Value::as_str);
        let Some(value_type) = named.and_then(ValueType::from_name) else { return Ok(()) };
        match self.types.insert(path.clone(), value_type) {
            Some(other) if other != value_type => {
                let message = format!("the option has the type {} elsewhere in the schema", other.name());
                Err(SchemaError::new(step(pointer, "type"), message))
            }
            _ => Ok(()),
        }
    }
}
