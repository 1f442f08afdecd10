//! The frames of running statements: as many as statements run, whatever way they end.

#[pgrx::pg_schema]
mod tests {
    use crate::guard;
    use pgrx::prelude::*;
    use std::ffi::{CString, c_char};

    /// The depth seen from inside a function that a statement calls.
    #[pg_extern]
    fn frame_depth() -> i32 {
        guard::depth() as i32
    }

    #[allow(unsafe_code, reason = "pg_sys has not got it")]
    unsafe extern "C-unwind" {
        fn RenameConstraintById(constraint: pg_sys::Oid, name: *const c_char);
    }

    /// What another extension may do while a statement runs, without a statement of its own.
    #[pg_extern]
    #[allow(unsafe_code, reason = "there is no other way to do without a statement")]
    fn rename_constraint(constraint: pg_sys::Oid, name: &str) {
        let name = CString::new(name).unwrap();
        // SAFETY: the caller names a constraint; the name is a C string, and is copied.
        unsafe { RenameConstraintById(constraint, name.as_ptr()) }
    }

    fn run(sql: &str) {
        Spi::run(sql).unwrap();
    }

    fn depth_in(sql: &str) -> i32 {
        run("CREATE TEMP TABLE IF NOT EXISTS seen (depth integer)");
        run("TRUNCATE seen");
        run(sql);
        Spi::get_one::<i32>("SELECT max(depth) FROM seen").unwrap().unwrap()
    }

    #[pg_test]
    fn depth_is_zero_outside_utility_statements() {
        assert_eq!(Spi::get_one::<i32>("SELECT tests.frame_depth()").unwrap(), Some(0));
        assert_eq!(guard::depth(), 0);
    }

    #[pg_test]
    fn depth_counts_statements_inside_one_another() {
        let once = "DO $$ BEGIN INSERT INTO seen SELECT tests.frame_depth(); END $$";
        assert_eq!(depth_in(once), 1);
        let twice = "DO $$ BEGIN EXECUTE 'DO $i$ BEGIN INSERT INTO seen SELECT tests.frame_depth(); END $i$'; END $$";
        assert_eq!(depth_in(twice), 2);
        assert_eq!(guard::depth(), 0);
    }

    #[pg_test]
    fn depth_is_right_after_a_caught_error() {
        let sql = "DO $$ BEGIN
            BEGIN ALTER SERVER no_such_server OPTIONS (ADD a '1'); EXCEPTION WHEN undefined_object THEN NULL; END;
            BEGIN EXECUTE 'DO $i$ BEGIN DROP TABLE no_such_table; END $i$'; EXCEPTION WHEN undefined_table THEN NULL; END;
            INSERT INTO seen SELECT tests.frame_depth();
        END $$";
        assert_eq!(depth_in(sql), 1);
        assert_eq!(guard::depth(), 0);
    }

    #[pg_test]
    fn depth_is_right_after_a_refusal() {
        run("CREATE FOREIGN DATA WRAPPER w");
        run("SELECT fdw_guard.add_rule('no_port', 'server', 'port', forbidden => true)");
        let sql = "DO $$ BEGIN
            BEGIN CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (port '1');
            EXCEPTION WHEN fdw_invalid_option_name OR fdw_invalid_attribute_value THEN
                INSERT INTO seen SELECT tests.frame_depth();
            END;
        END $$";
        assert_eq!(depth_in(sql), 1);
        assert_eq!(guard::depth(), 0);
        assert_eq!(Spi::get_one::<i64>("SELECT count(*) FROM pg_foreign_server WHERE srvname = 's'").unwrap(), Some(0));
    }

    #[pg_test]
    fn a_statement_about_options_is_seen_to_reach_inside() {
        run("CREATE FOREIGN DATA WRAPPER w");
        run("CREATE SERVER s FOREIGN DATA WRAPPER w");
        run("CREATE FOREIGN TABLE t (id integer CONSTRAINT before CHECK (id > 0)) SERVER s");
        run("CREATE FUNCTION follow() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
                PERFORM tests.rename_constraint(oid, 'after') FROM pg_constraint WHERE conname = 'before';
            END $$");
        run("CREATE EVENT TRIGGER follow ON ddl_command_end EXECUTE FUNCTION follow()");
        run("ALTER FOREIGN TABLE t OPTIONS (ADD a '1')");
        let told = Spi::get_one::<String>(
            "SELECT string_agg(attribute || ' ' || change, ', ' ORDER BY attribute) FROM fdw_guard.history
            WHERE statement LIKE 'ALTER FOREIGN TABLE t%'",
        );
        assert_eq!(told.unwrap().unwrap(), "constraint after add, constraint before drop, option a add");
    }
}
