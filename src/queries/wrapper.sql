-- What get_ddl tells of the foreign-data wrapper $1 beside its options.
SELECT json_build_object(
    'owner', pg_get_userbyid(w.fdwowner),
    'handler', (SELECT format('%I.%I', n.nspname, p.proname)
                FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
                WHERE p.oid = w.fdwhandler),
    'validator', (SELECT format('%I.%I', n.nspname, p.proname)
                  FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
                  WHERE p.oid = w.fdwvalidator),
    'comment', obj_description(w.oid, 'pg_foreign_data_wrapper'),
    'extension', (SELECT e.extname FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
                  WHERE d.classid = 'pg_catalog.pg_foreign_data_wrapper'::regclass AND d.objid = w.oid
                    AND d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.deptype = 'e'),
    'grants', CASE WHEN w.fdwacl IS NOT NULL THEN COALESCE((SELECT json_agg(json_build_object(
                   'grantee', CASE WHEN g.grantee <> 0 THEN pg_get_userbyid(g.grantee) END,
                   'grantor', pg_get_userbyid(g.grantor), 'right', g.privilege_type, 'grantable', g.is_grantable))
               FROM aclexplode(w.fdwacl) g), '[]'::json) END,
    'default_grants', (SELECT json_agg(json_build_object(
                           'grantee', CASE WHEN g.grantee <> 0 THEN pg_get_userbyid(g.grantee) END,
                           'grantor', pg_get_userbyid(g.grantor), 'right', g.privilege_type, 'grantable', g.is_grantable))
                       FROM aclexplode(acldefault('F', w.fdwowner)) g)
)::text
FROM pg_catalog.pg_foreign_data_wrapper w
WHERE w.oid = $1
