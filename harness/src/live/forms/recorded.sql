-- What a form can change and revert can bring back: options in no order, grants spelled out, no columns that are gone.
SELECT jsonb_build_object(
    'wrappers', (
        SELECT jsonb_agg(jsonb_build_array(fdwname, fdwowner::regrole, fdwhandler::regproc, fdwvalidator::regproc,
            (SELECT jsonb_object_agg(option_name, option_value) FROM pg_options_to_table(fdwoptions)),
            (SELECT jsonb_agg(a::text ORDER BY a::text) FROM aclexplode(coalesce(fdwacl, acldefault('F', fdwowner))) a))
            ORDER BY fdwname)
        FROM pg_foreign_data_wrapper),
    'servers', (
        SELECT jsonb_agg(jsonb_build_array(srvname, srvfdw, srvowner::regrole, srvtype, srvversion,
            (SELECT jsonb_object_agg(option_name, option_value) FROM pg_options_to_table(srvoptions)),
            (SELECT jsonb_agg(a::text ORDER BY a::text) FROM aclexplode(coalesce(srvacl, acldefault('S', srvowner))) a))
            ORDER BY srvname)
        FROM pg_foreign_server),
    'user mappings', (
        SELECT jsonb_agg(jsonb_build_array(srvname, usename,
            (SELECT jsonb_object_agg(option_name, option_value) FROM pg_options_to_table(umoptions))) ORDER BY srvname, usename)
        FROM pg_user_mappings),
    'foreign tables', (
        SELECT jsonb_agg(
            jsonb_set(jsonb_set(state,
                -- Columns tell of NOT NULL; its constraint may get another name.
                '{constraints}', jsonb_path_query_array(state, '$.constraints[*] ? (!(@.definition starts with "NOT NULL"))')),
                -- A trigger of a partition that is put back is its own.
                '{triggers}', (SELECT coalesce(jsonb_agg(g - 'inherited'), '[]') FROM jsonb_array_elements(state -> 'triggers') g))
            ORDER BY ftrelid::regclass::text)
        FROM pg_foreign_table, LATERAL (SELECT fdw_guard.table_state(ftrelid)) s(state))
)::text
