//! What is written without a server; the live tests play what is written.

use std::rc::Rc;

use super::*;
use crate::secret::SecretOptions;
use crate::testing::{column, mapping, postgres_fdw, server, table};
use serde_json::json;

fn secrecy_of(situation: &Situation) -> Secrecy {
    Secrecy::new(situation.object.object_type, Rc::new(SecretOptions::default()))
}

fn told(situation: &Situation, write: impl FnOnce(&Known<'_>) -> String) -> String {
    let secrecy = secrecy_of(situation);
    write(&Known { situation, secrecy: &secrecy, are_visible: true })
}

fn object(more: serde_json::Value) -> Object {
    let mut document = json!({"owner": "Keeper"});
    document.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(document).unwrap()
}

#[test]
fn options_stand_on_lines_of_their_own_and_secrets_are_comments() {
    let server =
        server("far", &[("host", "it's"), ("password", "CANARY"), ("select", "a\nb"), ("api_token\n;", "CANARY")]);
    let ddl = told(&server, |known| super::server(known, &object(json!({"comment": "x"}))));
    assert_eq!(
        ddl,
        "CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (\n    host 'it''s',\n    \"select\" 'a\nb'\n    \
         -- password is a secret, and left out\n    -- \"api_token\\n;\" is a secret, and left out\n);\n\
         COMMENT ON SERVER far IS 'x';\nALTER SERVER far OWNER TO \"Keeper\";"
    );
}

#[test]
fn a_mapping_that_is_hidden_says_so() {
    let mapping = mapping("public", "far", &[("user", "x")]);
    let secrecy = secrecy_of(&mapping);
    let known = Known { situation: &mapping, secrecy: &secrecy, are_visible: false };
    let hidden = "CREATE USER MAPPING FOR PUBLIC SERVER far\n    -- its options are hidden from you\n;";
    assert_eq!(user_mapping(&known), hidden);
}

#[test]
fn extensions_and_guards_are_named() {
    let situation = Situation { object: postgres_fdw(), above: Vec::new() };
    let of = |is_in_place| {
        let guarded = Guarded { delegate: "it's".to_owned(), is_in_place };
        let more = json!({"extension": "a\nb", "handler": "s.h", "validator": "s.v"});
        told(&situation, |known| wrapper(known, &object(more), Some(&guarded)))
    };
    let made = of(false);
    assert!(
        made.starts_with("-- It comes with an extension: CREATE EXTENSION \"a\\nb\";\n-- It is a guarded wrapper.")
    );
    assert!(made.contains("SELECT fdw_guard.create_wrapper('postgres_fdw', 'it''s');\nCREATE FOREIGN DATA WRAPPER"));
    assert!(made.contains("postgres_fdw HANDLER s.h VALIDATOR s.v;"));
    assert!(of(true).contains("SELECT fdw_guard.guard_wrapper('postgres_fdw');"));
}

#[test]
fn labels_and_secrets_of_columns_are_told() {
    let (situation, of_column) = (table("t", &[]), column("Secret", &[("password", "CANARY"), ("a", "b")]));
    let label = json!([{"provider": "p", "label": "it's"}]);
    let document = json!({"owner": "keeper", "labels": label, "columns": [{
        "number": 1, "name": "Secret", "type": "integer", "generated": "", "identity": "", "not_null": true,
        "is_local": true, "compression": "l", "labels": label
    }]});
    let secrecy = secrecy_of(&of_column);
    let columns = [(1, Known { situation: &of_column, secrecy: &secrecy, are_visible: true })];
    let ddl = told(&situation, |known| foreign_table(known, &columns, &serde_json::from_value(document).unwrap()));
    assert_eq!(
        ddl,
        "CREATE FOREIGN TABLE public.t (\n    -- password of column \"Secret\" is a secret, and left out\n    \
         \"Secret\" integer COMPRESSION lz4 OPTIONS (a 'b') NOT NULL\n) SERVER foo;\n\
         SECURITY LABEL FOR p ON COLUMN public.t.\"Secret\" IS 'it''s';\n\
         SECURITY LABEL FOR p ON FOREIGN TABLE public.t IS 'it''s';\n\
         ALTER FOREIGN TABLE public.t OWNER TO keeper;"
    );
}

#[test]
fn a_sequence_of_serial_comes_before_its_table_and_is_owned_afterwards() {
    let situation = table("t", &[]);
    let sequence = json!([{"name": "public.t_n_seq", "is_of_identity": false, "type": "integer", "start": 1,
        "increment": 1, "minimum": 1, "maximum": 9, "cache": 1, "cycle": true}]);
    let column = json!({"number": 1, "name": "n", "type": "integer", "generated": "", "identity": "", "not_null": false,
        "is_local": true, "compression": "", "default": "nextval('public.t_n_seq'::regclass)", "sequences": sequence});
    let document = json!({"owner": "keeper", "columns": [column]});
    let ddl = told(&situation, |known| foreign_table(known, &[], &serde_json::from_value(document).unwrap()));
    assert_eq!(
        ddl,
        "CREATE SEQUENCE public.t_n_seq AS integer START WITH 1 INCREMENT BY 1 MINVALUE 1 MAXVALUE 9 CACHE 1 CYCLE;\n\
         CREATE FOREIGN TABLE public.t (\n    n integer DEFAULT nextval('public.t_n_seq'::regclass)\n) SERVER foo;\n\
         ALTER SEQUENCE public.t_n_seq OWNED BY public.t.n;\nALTER FOREIGN TABLE public.t OWNER TO keeper;"
    );
}

#[test]
fn a_storage_is_told_where_it_is_not_the_one_that_the_column_is_made_with() {
    let situation = table("t", &[]);
    let told_of = |parent: Option<&str>, storage: &str| {
        let column = json!({"number": 1, "name": "n", "type": "text", "generated": "", "identity": "", "not_null": false,
            "is_local": parent.is_none(), "compression": "", "storage": storage, "type_storage": "x"});
        let of_parent = json!([{"name": "n", "is_generated": false, "not_null": false, "storage": parent}]);
        let parents = parent.map(|_| json!([{"name": "public.p", "columns": of_parent}]));
        let document = json!({"owner": "keeper", "columns": [column], "parents": parents});
        told(&situation, |known| foreign_table(known, &[], &serde_json::from_value(document).unwrap()))
    };
    let storage =
        |ddl: String| ddl.split_once("SET STORAGE ").and_then(|(_, after)| after.split(';').next().map(str::to_owned));
    assert_eq!(storage(told_of(None, "x")), None);
    assert_eq!(storage(told_of(None, "e")).as_deref(), Some("EXTERNAL"));
    assert_eq!(storage(told_of(Some("e"), "e")), None);
    assert_eq!(storage(told_of(Some("e"), "x")).as_deref(), Some("EXTENDED"));
}

fn grant(grantee: Option<&str>, grantor: &str, right: &str, grantable: bool) -> Grant {
    let grant = json!({"grantee": grantee, "grantor": grantor, "right": right, "grantable": grantable});
    serde_json::from_value(grant).unwrap()
}

#[test]
fn grants_come_in_the_order_in_which_they_can_be_made() {
    let own = |right| grant(Some("o"), "o", right, false);
    let default = [own("SELECT"), own("INSERT"), own("UPDATE")];
    let present = [
        grant(None, "A b", "SELECT", false),
        own("SELECT"),
        grant(Some("A b"), "o", "SELECT", true),
        grant(Some("A b"), "o", "INSERT", true),
    ];
    assert_eq!(
        grants::statements("TABLE t", None, "o", &default, &present),
        [
            "REVOKE INSERT, UPDATE ON TABLE t FROM o;",
            "GRANT SELECT, INSERT ON TABLE t TO \"A b\" WITH GRANT OPTION;",
            "SET SESSION AUTHORIZATION \"A b\";\nGRANT SELECT ON TABLE t TO PUBLIC;\nRESET SESSION AUTHORIZATION;",
        ]
    );
    let of_column = grants::statements("TABLE t", Some("c"), "o", &[], &present[..1]);
    assert!(of_column.concat().contains("GRANT SELECT (c) ON TABLE t TO PUBLIC;"));
}
