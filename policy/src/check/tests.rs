//! The strict meta-schema, by example.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::json::LARGEST_SCHEMA;
use crate::schema::{CompiledSchema, SchemaError, Shape};

fn refused(schema: &Value, shape: Shape) -> SchemaError {
    match CompiledSchema::compile(&schema.to_string(), shape) {
        Err(error) => error,
        Ok(_) => panic!("accepted: {schema}"),
    }
}

fn accepted(schema: &Value, shape: Shape) -> CompiledSchema {
    CompiledSchema::compile(&schema.to_string(), shape).unwrap_or_else(|error| panic!("{schema}: {error}"))
}

/// Schemas that are refused, where, and a word of why.
#[test]
fn what_would_be_ignored_or_never_apply_is_refused() {
    let property = |schema: Value| json!({"properties": {"a": schema}});
    let cases = [
        (json!({"propertes": {}}), "/propertes", "perhaps you meant \"properties\""),
        (json!({"items": {}}), "/items", "not a keyword"),
        (json!({"$id": "x"}), "/$id", "not a keyword"),
        (json!({"$anchor": "x"}), "/$anchor", "not a keyword"),
        (json!({"$dynamicRef": "#x"}), "/$dynamicRef", "not a keyword"),
        (json!({"$schema": "http://json-schema.org/draft-07/schema#"}), "/$schema", "2020-12"),
        (property(json!({"enumm": ["a"]})), "/properties/a/enumm", "perhaps you meant \"enum\""),
        (property(json!({"$schema": "https://json-schema.org/draft/2020-12/schema"})), "/properties/a/$schema", "root"),
        (property(json!({"minimum": 5})), "/properties/a/minimum", "integer or number"),
        (property(json!({"type": "string", "maximum": 5})), "/properties/a/maximum", "integer or number"),
        (property(json!({"type": "integer", "pattern": "x"})), "/properties/a/pattern", "about strings"),
        (property(json!({"type": "boolean", "minLength": 1})), "/properties/a/minLength", "about strings"),
        (property(json!({"type": "integer", "enum": ["5"]})), "/properties/a/enum/0", "integer"),
        (property(json!({"type": "integer", "const": 1.5})), "/properties/a/const", "integer"),
        (property(json!({"enum": ["a", 5]})), "/properties/a/enum/1", "string"),
        (property(json!({"const": true})), "/properties/a/const", "string"),
        (property(json!({"const": null})), "/properties/a/const", "string"),
        (property(json!({"enum": []})), "/properties/a/enum", "empty"),
        (property(json!({"enum": "a"})), "/properties/a/enum", "array"),
        (property(json!({"type": ["string", "integer"]})), "/properties/a/type", "not an array"),
        (property(json!({"type": "strng"})), "/properties/a/type", "perhaps you meant \"string\""),
        (property(json!({"type": "object"})), "/properties/a/type", "not a known type"),
        (property(json!({"format": "emali"})), "/properties/a/format", "perhaps you meant \"email\""),
        (property(json!({"pattern": "("})), "/properties/a/pattern", "invalid"),
        (property(json!({"pattern": "(?=a)"})), "/properties/a/pattern", "look-around"),
        (property(json!({"minLength": -1})), "/properties/a/minLength", "not negative"),
        (property(json!({"minLength": "5"})), "/properties/a/minLength", "whole number"),
        (property(json!({"type": "number", "multipleOf": 0})), "/properties/a/multipleOf", "greater than 0"),
        (property(json!({"readOnly": "yes"})), "/properties/a/readOnly", "true or false"),
        (property(json!({"required": ["b"]})), "/properties/a/required", "about objects"),
        (property(json!({"properties": {}})), "/properties/a/properties", "about objects"),
        (property(json!("string")), "/properties/a", "object, true or false"),
        (property(json!({"then": {"const": "a"}})), "/properties/a/then", "without \"if\""),
        (json!({"else": {}}), "/else", "without \"if\""),
        (json!({"if": {}}), "/if", "without \"then\""),
        (json!({"pattern": "x"}), "/pattern", "about values"),
        (json!({"type": "string"}), "/type", "expected \"object\""),
        (json!({"readOnly": true}), "/readOnly", "option of the object itself"),
        (json!({"anyOf": []}), "/anyOf", "not empty"),
        (
            json!({"anyOf": [{"properties": {"a": {"writeOnly": true}}}]}),
            "/anyOf/0/properties/a/writeOnly",
            "always applies",
        ),
        (json!({"additionalProperties": {"writeOnly": true}}), "/additionalProperties/writeOnly", "always applies"),
        (json!({"patternProperties": {"x": {"readOnly": true}}}), "/patternProperties/x/readOnly", "named"),
        (json!({"patternProperties": {"x": {"writeOnly": false}}}), "/patternProperties/x/writeOnly", "public"),
        (json!({"patternProperties": {"(": true}}), "/patternProperties/(", "invalid"),
        (json!({"required": "a"}), "/required", "array"),
        (json!({"required": ["a", "a"]}), "/required/1", "twice"),
        (json!({"dependentRequired": {"a": "b"}}), "/dependentRequired/a", "array"),
        (json!({"$ref": "#/properties/a"}), "/$ref", "#/$defs/"),
        (json!({"$ref": "https://example.com"}), "/$ref", "#/$defs/"),
        (json!({"$defs": {"port": {}}, "$ref": "#/$defs/prt"}), "/$ref", "perhaps you meant \"port\""),
        (json!({"$defs": {"a b": {}}}), "/$defs/a b", "letters"),
        (json!({"$defs": {"a": {"enumm": []}}}), "/$defs/a/enumm", "perhaps you meant \"enum\""),
        (json!(true), "", "JSON object"),
        (json!([]), "", "JSON object"),
    ];
    for (schema, pointer, word) in cases {
        let error = refused(&schema, Shape::Options);
        assert_eq!(error.pointer, pointer, "{schema}: {error}");
        assert!(error.message.contains(word), "{schema}: {error}");
    }
}

/// The type by which a value is read comes from one place, and whatever else is said of the option must agree with it.
#[test]
fn a_type_that_would_not_be_read_is_refused() {
    let cases = [
        // Without the type at the option itself, "if" would see a string and never apply.
        (
            json!({"if": {"properties": {"port": {"type": "integer", "minimum": 1024}}}, "then": {"required": ["x"]}}),
            "/if/properties/port/type",
        ),
        (json!({"anyOf": [{"properties": {"a": {"type": "boolean"}}}]}), "/anyOf/0/properties/a/type"),
        (json!({"additionalProperties": {"type": "integer"}}), "/additionalProperties/type"),
        (
            json!({"properties": {"a": {"type": "integer"}}, "not": {"properties": {"a": {"const": "5"}}}}),
            "/not/properties/a/const",
        ),
        // The pattern would be ignored for a value that is a number.
        (
            json!({"properties": {"port": {"type": "integer"}}, "patternProperties": {"^p": {"pattern": "x"}}}),
            "/patternProperties/^p/pattern",
        ),
        (
            json!({"allOf": [{"properties": {"a": {"type": "integer"}}}], "additionalProperties": {"maxLength": 5}}),
            "/additionalProperties/maxLength",
        ),
        (json!({"propertyNames": {"minimum": 5}}), "/propertyNames/minimum"),
    ];
    for (schema, pointer) in cases {
        assert_eq!(refused(&schema, Shape::Options).pointer, pointer, "{schema}");
    }
    let conflicting =
        json!({"properties": {"a": {"type": "integer"}}, "allOf": [{"properties": {"a": {"type": "boolean"}}}]});
    assert!(refused(&conflicting, Shape::Options).message.contains("elsewhere"));
}

#[test]
fn types_reach_through_all_of_and_ref() {
    let schema = accepted(
        &json!({
            "$defs": {"port": {"type": "integer", "minimum": 1}, "more": {"properties": {"flag": {"type": "boolean"}}}},
            "properties": {"port": {"$ref": "#/$defs/port"}},
            "allOf": [{"$ref": "#/$defs/more"}],
            "if": {"properties": {"flag": {"const": true}}, "required": ["flag"]},
            "then": {"properties": {"port": {"maximum": 1023}}}
        }),
        Shape::Options,
    );
    let good = [json!({"port": "5432"}), json!({"port": "0x10", "flag": "on"}), json!({"port": "9999", "flag": "off"})];
    let bad =
        [json!({"port": "0"}), json!({"port": "x"}), json!({"port": "5432", "flag": "TRUE"}), json!({"flag": "yes"})];
    assert!(good.iter().all(|options| schema.is_satisfied_by(options)));
    for options in bad {
        assert!(!schema.is_satisfied_by(&options), "{options}");
    }
}

#[test]
fn parts_of_the_context_are_known_by_name() {
    let cases = [
        (json!({"properties": {"sever": {}}}), "/properties/sever", "perhaps you meant \"server\""),
        (
            json!({"properties": {"server": {"properties": {"nam": {}}}}}),
            "/properties/server/properties/nam",
            "\"name\"",
        ),
        (json!({"required": ["mapping"]}), "/required/0", "known are"),
        (
            json!({"properties": {"old": {"properties": {"session": {}}}}}),
            "/properties/old/properties/session",
            "known",
        ),
        (json!({"additionalProperties": false}), "/additionalProperties", "known by name"),
        (
            json!({"properties": {"server": {"patternProperties": {}}}}),
            "/properties/server/patternProperties",
            "by name",
        ),
        (
            json!({"properties": {"server": {"properties": {"name": {"type": "integer"}}}}}),
            "/properties/server/properties/name/type",
            "string",
        ),
        (
            json!({"properties": {"session": {"properties": {"is_superuser": {"const": "true"}}}}}),
            "/properties/session/properties/is_superuser/const",
            "boolean",
        ),
        (
            json!({"properties": {"server": {"properties": {"options": {"properties": {"a": {"writeOnly": true}}}}}}}),
            "/properties/server/properties/options/properties/a/writeOnly",
            "object itself",
        ),
    ];
    for (schema, pointer, word) in cases {
        let error = refused(&schema, Shape::Context);
        assert_eq!(error.pointer, pointer, "{schema}: {error}");
        assert!(error.message.contains(word), "{schema}: {error}");
    }
    let schema = accepted(
        &json!({
            "properties": {
                "server": {"properties": {"options": {"properties": {"port": {"type": "integer", "minimum": 5}}}}},
                "session": {"properties": {"is_superuser": {"const": false}}},
                "effective": {"additionalProperties": {"maxLength": 10}, "propertyNames": {"pattern": "^[a-z]+$"}},
                "old": {"properties": {"column": {"required": ["type"]}}}
            },
            "required": ["server"]
        }),
        Shape::Context,
    );
    assert!(schema.is_satisfied_by(&json!({"server": {"options": {"port": "5"}}})));
    assert!(!schema.is_satisfied_by(&json!({"server": {"options": {"port": "4"}}})));
    assert!(!schema.is_satisfied_by(&json!({})));
    assert!(!schema.is_satisfied_by(&json!({"server": {}, "session": {"is_superuser": true}})));
}

#[test]
fn messages_hold_no_values_of_the_schema() {
    let schemas = [
        json!({"properties": {"a": {"type": "integer", "const": "hunter2"}}}),
        json!({"properties": {"a": {"type": "integer", "enum": ["hunter2"]}}}),
        json!({"properties": {"a": {"minLength": "hunter2"}}}),
        json!({"properties": {"a": {"type": "integer", "default": "x", "pattern": "hunter2"}}}),
        json!({"properties": {"a": {"$ref": "hunter2"}}}),
        json!({"properties": {"a": {"enum": ["hunter2", "hunter2"]}, "b": "hunter2"}}),
    ];
    for schema in schemas {
        assert!(!refused(&schema, Shape::Options).to_string().contains("hunter2"), "{schema}");
    }
}

/// Compiles on a stack no larger than PostgreSQL's smallest setting leaves, and tells how long it took.
fn within_bounds(text: String) -> Result<(), SchemaError> {
    let started = Instant::now();
    let thread = std::thread::Builder::new().stack_size(1024 * 1024);
    let compiled = thread
        .spawn(move || {
            CompiledSchema::compile(&text, Shape::Options).map(|schema| {
                let many: serde_json::Map<String, Value> =
                    (0..50).map(|n| (format!("{}{n}", "a".repeat(20)), Value::from("a".repeat(200)))).collect();
                drop(schema.faults(&Value::Object(many)));
            })
        })
        .unwrap()
        .join()
        .unwrap();
    assert!(started.elapsed() < Duration::from_secs(10), "took {:?}", started.elapsed());
    compiled
}

fn nested(levels: usize, open: &str, inner: &str, close: &str) -> String {
    format!("{}{inner}{}", open.repeat(levels), close.repeat(levels))
}

#[test]
fn hostile_schemas_end_quickly_with_a_clear_error() {
    let doubling: Vec<String> = (0..20)
        .map(|n| {
            format!("\"d{n}\": {{\"allOf\": [{{\"$ref\": \"#/$defs/d{0}\"}}, {{\"$ref\": \"#/$defs/d{0}\"}}]}}", n + 1)
        })
        .collect();
    let doubling = format!("{{\"$defs\": {{{}, \"d20\": {{}}}}, \"$ref\": \"#/$defs/d0\"}}", doubling.join(", "));
    let chain: Vec<String> = (0..1000).map(|n| format!("\"d{n}\": {{\"$ref\": \"#/$defs/d{}\"}}", n + 1)).collect();
    let chain = format!("{{\"$defs\": {{{}, \"d1000\": {{}}}}, \"$ref\": \"#/$defs/d0\"}}", chain.join(", "));
    let many_patterns: Vec<String> = (0..800).map(|n| format!("\"\\\\p{{L}}{n}.{{1,9}}\": true")).collect();
    let cases = [
        (doubling, "10000 nodes"),
        (chain, "64 levels"),
        (json!({"$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}).to_string(), "back to itself"),
        (
            json!({"$defs": {"a": {"not": {"$ref": "#/$defs/b"}}, "b": {"anyOf": [{"$ref": "#/$defs/a"}]}}, "$ref": "#/$defs/a"})
                .to_string(),
            "back to itself",
        ),
        (nested(100, "{\"not\": ", "{}", "}"), "64 levels"),
        (nested(10_000, "{\"not\": ", "{}", "}"), "larger than"),
        (nested(5000, "{\"not\":", "{}", "}"), "too deep"),
        (nested(30_000, "[", "", "]"), "too deep"),
        (format!("{{\"title\": \"{}\"}}", "x".repeat(LARGEST_SCHEMA)), "larger than"),
        (json!({"properties": {"a": {"pattern": "((a{100}){100}){100}"}}}).to_string(), "too large"),
        (format!("{{\"patternProperties\": {{{}}}}}", many_patterns.join(", ")), "too large together"),
        ("{\"properties\": {}, \"properties\": {}}".to_owned(), "duplicate key"),
        ("{\"properties\": ".to_owned(), "ends"),
        (String::new(), "ends"),
    ];
    for (text, word) in cases {
        let start: String = text.chars().take(60).collect();
        let error = within_bounds(text).unwrap_err();
        assert!(error.message.contains(word), "{start}: {error}");
    }
}

#[test]
fn the_largest_schemas_that_are_accepted_are_bearable() {
    let wide: Vec<String> = (0..1500).map(|n| format!("\"option_{n}\": {{\"maxLength\": {n}}}")).collect();
    let any_of: Vec<String> = (0..1000).map(|n| format!("{{\"required\": [\"o{n}\"]}}")).collect();
    let cases = [
        nested(60, "{\"not\": ", "{}", "}"),
        nested(30, "{\"anyOf\": [{\"required\": [\"x\"]}, ", "{\"required\": [\"y\"]}", "]}"),
        nested(30, "{\"oneOf\": [", "{\"required\": [\"y\"]}", "]}"),
        nested(60, "{\"unevaluatedProperties\": false, \"not\": ", "{}", "}"),
        nested(30, "{\"unevaluatedProperties\": false, \"allOf\": [", "{}", "]}"),
        nested(30, "{\"unevaluatedProperties\": false, \"anyOf\": [{}, ", "{}", "]}"),
        nested(30, "{\"if\": {\"required\": [\"x\"]}, \"then\": {}, \"else\": ", "{\"required\": [\"y\"]}", "}"),
        nested(30, "{\"then\": {}, \"if\": ", "{\"required\": [\"y\"]}", "}"),
        format!("{{\"properties\": {{{}}}}}", wide.join(", ")),
        format!("{{\"anyOf\": [{}]}}", any_of.join(", ")),
        json!({"patternProperties": {"^(a+)+$": {"pattern": "^(a|a)*b$"}}}).to_string(),
    ];
    for text in cases {
        let start: String = text.chars().take(60).collect();
        within_bounds(text).unwrap_or_else(|error| panic!("{start}: {error}"));
    }
}
