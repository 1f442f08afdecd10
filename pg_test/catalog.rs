//! What is read from the catalogs, held against what PostgreSQL itself says of the same rows.

#[pgrx::pg_schema]
mod tests {
    use crate::ffi::catalog;
    use fdw_guard_policy::model::Attribute;
    use pgrx::pg_sys::Oid;
    use pgrx::prelude::*;

    #[pg_test]
    fn a_user_mapping_is_identified_as_postgresql_does() {
        Spi::run("CREATE EXTENSION IF NOT EXISTS postgres_fdw").unwrap();
        Spi::run("CREATE SERVER \"O'dd \"\"server\" FOREIGN DATA WRAPPER postgres_fdw").unwrap();
        Spi::run("CREATE ROLE \"Odd role\"").unwrap();
        for role in ["PUBLIC", "\"Odd role\"", "CURRENT_USER"] {
            Spi::run(&format!("CREATE USER MAPPING FOR {role} SERVER \"O'dd \"\"server\"")).unwrap();
        }
        let found = "SELECT array_agg(oid ORDER BY oid) FROM pg_user_mapping";
        let mappings = Spi::get_one::<Vec<Oid>>(found).unwrap().unwrap();
        for mapping in &mappings {
            let said = format!("SELECT identity FROM pg_identify_object('pg_user_mapping'::regclass, {mapping}, 0)");
            let said = Spi::get_one::<String>(&said).unwrap();
            assert_eq!(Some(catalog::user_mapping(*mapping).unwrap().state.identity().to_owned()), said);
        }
        assert!(mappings.len() >= 3);
    }

    #[pg_test]
    fn a_kept_server_is_read_again_when_it_changes() {
        Spi::run("CREATE EXTENSION IF NOT EXISTS postgres_fdw").unwrap();
        Spi::run("CREATE ROLE kept_owner").unwrap();
        Spi::run("GRANT USAGE ON FOREIGN DATA WRAPPER postgres_fdw TO kept_owner").unwrap();
        Spi::run("CREATE SERVER kept FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'a')").unwrap();
        Spi::run("ALTER SERVER kept OWNER TO kept_owner").unwrap();
        let server = Spi::get_one::<Oid>("SELECT oid FROM pg_foreign_server WHERE srvname = 'kept'").unwrap().unwrap();
        let state = || catalog::server_above(server).unwrap().0;
        let first = state();
        assert_eq!(first.attribute(Attribute::Owner), Some("kept_owner"));
        assert!(std::rc::Rc::ptr_eq(&first, &state()), "it is kept");
        Spi::run("ALTER ROLE kept_owner RENAME TO another_owner").unwrap();
        assert_eq!(state().attribute(Attribute::Owner), Some("another_owner"));
        Spi::run("ALTER SERVER kept OPTIONS (SET host 'b')").unwrap();
        assert_ne!(state().options, first.options);
        Spi::run("ALTER SERVER kept RENAME TO renamed").unwrap();
        assert_eq!((state().name(), state().identity()), ("renamed", "renamed"));
        Spi::run("DROP SERVER renamed").unwrap();
        assert!(catalog::server_above(server).is_none());
    }

    #[pg_test]
    fn a_kept_wrapper_is_read_again_when_its_function_changes() {
        Spi::run("CREATE EXTENSION IF NOT EXISTS postgres_fdw").unwrap();
        Spi::run("CREATE FUNCTION kept_validator(text[], oid) RETURNS boolean LANGUAGE sql AS 'SELECT true'").unwrap();
        Spi::run("CREATE FOREIGN DATA WRAPPER kept VALIDATOR kept_validator").unwrap();
        let found = "SELECT oid FROM pg_foreign_data_wrapper WHERE fdwname = 'kept'";
        let wrapper = Spi::get_one::<Oid>(found).unwrap().unwrap();
        let validator = || catalog::wrapper_above(wrapper).unwrap().attribute(Attribute::Validator).map(str::to_owned);
        assert_eq!(validator().as_deref(), Some("public.kept_validator"));
        Spi::run("ALTER FUNCTION kept_validator(text[], oid) RENAME TO kept_renamed").unwrap();
        assert_eq!(validator().as_deref(), Some("public.kept_renamed"));
    }
}
