//! Two worlds with the same rows, one reached by postgres_fdw, one read by file_fdw.

use anyhow::Result;

use super::PAGE;
use crate::cluster::Cluster;
use crate::database::{Database, Remote, quote_literal};
use crate::live::guarded::reaching;

/// Rules of which none is violated here, of each type of object: about options that nothing has, and about forms, which
/// bind nobody who acts here. What passes has passed rules.
fn harmless_rules() -> String {
    const TYPES: &str = "unnest(ARRAY['foreign-data wrapper', 'server', 'user mapping', 'foreign table', \
                         'foreign table column']) AS t";
    format!(
        "INSERT INTO fdw_guard.rule (name, object_type, options) \
             SELECT 'no nonsense: ' || t, t, '{{\"properties\": {{\"nonsense\": false}}}}' FROM {TYPES}; \
         INSERT INTO fdw_guard.rule (name, object_type, forms, roles) \
             SELECT 'others: ' || t, t, '{{CREATE, DROP, OPTIONS}}', '{{pg_monitor}}' FROM {TYPES}; \
         INSERT INTO fdw_guard.rule (name, object_type, forms, roles) \
             VALUES ('others: page', 'foreign table', '{{{}}}', '{{pg_monitor}}')",
        PAGE.join(", ")
    )
}

/// What both worlds have beside the foreign tables `ware` and `goods`, and `shape`, which reads what the remote end says
/// of `ware`, or the bare file.
const LOCAL: &str = "CREATE TABLE stock (id int, name text, price numeric); \
    CREATE VIEW names AS SELECT attname AS column_name, attnum, attrelid::regclass::text AS table_name FROM pg_attribute \
        WHERE attnum > 0 AND NOT attisdropped";

/// A function that makes a foreign table with such options below `ware`.
fn descend(options: &str) -> String {
    format!(
        "CREATE FUNCTION descend() RETURNS void LANGUAGE sql AS \
         $$ CREATE FOREIGN TABLE kin () INHERITS (ware) SERVER far OPTIONS ({options}) $$"
    )
}

/// A database whose server `far`, of `wrapper`, leads to another with the same rows as [`files`]. Roles of the other are
/// `effects_one` with the password `spring` and `effects_two` with `winter`.
pub fn remote<'c>(cluster: &'c Cluster, wrapper: &str) -> Result<(Database<'c>, Remote<'c>)> {
    let (database, remote) = reaching(cluster, &format!("effects_{wrapper}"), wrapper)?;
    let mapped = remote.role.clone();
    let remote = remote.database.remote("effects_one", "spring")?.database.remote("effects_two", "winter")?;
    remote.database.execute(&format!(
        "CREATE TABLE ware (id int PRIMARY KEY, name text, price numeric, colour text DEFAULT 'grey'); \
         INSERT INTO ware VALUES (1, 'pen', 9.50, 'red'), (2, 'Ink', 20.25, 'blue'), (3, NULL, 3, 'white'); \
         CREATE VIEW shape AS SELECT attname || ' ' || atttypid::regtype || ' ' || attnotnull AS line FROM pg_attribute \
             WHERE attrelid = 'ware'::regclass AND attnum > 0; \
         CREATE VIEW me AS SELECT current_user::text AS name; \
         GRANT ALL ON ware, shape, me TO {mapped}, effects_one, effects_two"
    ))?;
    database.execute(&format!(
        "{LOCAL}; CREATE FOREIGN TABLE ware (id int, name text, price numeric) SERVER far; \
         CREATE FOREIGN TABLE goods (id int) SERVER far; CREATE FOREIGN TABLE shape (line text) SERVER far; \
         CREATE FOREIGN TABLE me (name text) SERVER far; {}; {}",
        descend("table_name 'ware'"),
        harmless_rules()
    ))?;
    Ok((database, remote))
}

/// A database whose server `far`, of `wrapper`, reads files with the same rows as [`remote`].
pub fn files<'c>(cluster: &'c Cluster, wrapper: &str) -> Result<Database<'c>> {
    let database = cluster.guarded_database(&format!("effects_{wrapper}"))?;
    let file = |name: &str| cluster.directory().join(format!("{wrapper}-{name}.csv")).to_string_lossy().into_owned();
    let [ware, goods] = ["ware", "goods"].map(|name| quote_literal(&file(name)));
    database.execute(&format!(
        "CREATE EXTENSION file_fdw; SELECT fdw_guard.create_wrapper('guarded_file_fdw', 'file_fdw'); {LOCAL}; \
         COPY (VALUES (1, 'pen', 9.50), (2, 'Ink', 20.25), (3, NULL, 3)) TO {ware} (FORMAT csv); \
         COPY (SELECT generate_series(1, 100)) TO {goods}; CREATE SERVER far FOREIGN DATA WRAPPER {wrapper}; \
         CREATE FOREIGN TABLE ware (id int, name text, price numeric) SERVER far OPTIONS (filename {ware}, format 'csv'); \
         CREATE FOREIGN TABLE goods (id int) SERVER far OPTIONS (filename {goods}); \
         CREATE FOREIGN TABLE shape (line text) SERVER far OPTIONS (filename {ware}); {}; {}",
        descend(&format!("filename {ware}, format 'csv'")),
        harmless_rules()
    ))?;
    Ok(database)
}
