//! The public surface, held together with the catalogs.

#[pgrx::pg_schema]
mod tests {
    use pgrx::prelude::*;

    fn names(sql: &str) -> Vec<String> {
        Spi::get_one::<Vec<String>>(sql).unwrap().unwrap()
    }

    #[pg_test]
    fn every_exported_function_is_declared_and_the_other_way_round() {
        let declared = names(
            "SELECT array_agg(DISTINCT prosrc ORDER BY prosrc) FROM pg_proc p JOIN pg_language l ON l.oid = prolang
             WHERE pronamespace = 'fdw_guard'::regnamespace AND lanname = 'c'",
        );
        let mut exported: Vec<String> = crate::ffi::exports::NAMES.iter().map(|name| (*name).to_owned()).collect();
        exported.sort();
        assert_eq!(declared, exported);
    }

    #[pg_test]
    fn everything_public_has_a_comment() {
        let uncommented = Spi::get_one::<i64>(
            "SELECT count(*) FROM pg_proc p WHERE pronamespace = 'fdw_guard'::regnamespace
             AND obj_description(p.oid, 'pg_proc') IS NULL",
        );
        assert_eq!(uncommented.unwrap(), Some(0));
        let uncommented = Spi::get_one::<i64>(
            "SELECT count(*) FROM pg_class c WHERE relnamespace = 'fdw_guard'::regnamespace AND relkind IN ('r', 'v')
             AND obj_description(c.oid, 'pg_class') IS NULL",
        );
        assert_eq!(uncommented.unwrap(), Some(0));
    }

    #[pg_test]
    fn only_what_is_meant_for_everybody_is_public() {
        let public = names(
            "SELECT array_agg(proname::text ORDER BY proname) FROM pg_proc p
             WHERE pronamespace = 'fdw_guard'::regnamespace AND has_function_privilege('public', p.oid, 'EXECUTE')",
        );
        assert_eq!(
            public,
            [
                "column_options",
                "column_options",
                "delegate_of",
                "effective_options",
                "effective_options",
                "explain_plan",
                "foreign_table_options",
                "foreign_table_options",
                "get_ddl",
                "get_ddl",
                "get_ddl",
                "history_statement",
                "history_value",
                "lock_recorded",
                "may_see_history",
                "object_now",
                "plan",
                "policy_schema",
                "revert",
                "revert_plan",
                "rotate_secret",
                "server_options",
                "set_column_options",
                "set_column_options",
                "set_foreign_table_options",
                "set_foreign_table_options",
                "set_server_options",
                "set_user_mapping_options",
                "shown_options",
                "status",
                "table_state",
                "table_state",
                "timeline",
                "undo",
                "user_mapping_options",
                "violations",
                "visible_options",
                "visible_options_object",
                "wrapper_oid"
            ]
        );
        let public = names(
            "SELECT array_agg(relname::text ORDER BY relname) FROM pg_class c
             WHERE relnamespace = 'fdw_guard'::regnamespace AND relkind IN ('r', 'v')
             AND has_table_privilege('public', c.oid, 'SELECT')",
        );
        let views = ["foreign_columns", "foreign_tables", "guarded_wrappers", "options", "servers", "user_mappings"];
        assert_eq!(public, views);
    }

    /// Else whoever may drop the schema that was current at CREATE EXTENSION could drop the rules with it.
    #[pg_test]
    fn the_extension_hangs_on_no_schema_that_can_be_dropped() {
        let schema = Spi::get_one::<String>(
            "SELECT extnamespace::regnamespace::text FROM pg_extension WHERE extname = 'fdw_guard'",
        );
        assert_eq!(schema.unwrap().as_deref(), Some("pg_catalog"));
    }

    #[pg_test]
    fn every_setting_has_a_description() {
        let settings = Spi::get_one::<i64>(
            "SELECT count(*) FROM pg_settings WHERE name LIKE 'fdw\\_guard.%' AND short_desc <> '' AND extra_desc <> ''",
        );
        assert_eq!(settings.unwrap(), Some(8));
    }
}
