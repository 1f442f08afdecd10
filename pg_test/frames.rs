//! The frames of running statements: as many as statements run, whatever way they end.

#[pgrx::pg_schema]
mod tests {
    use crate::guard;
    use pgrx::prelude::*;

    /// The depth seen from inside a function that a statement calls.
    #[pg_extern]
    fn frame_depth() -> i32 {
        guard::depth() as i32
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
}
