-- What get_ddl tells of the server $1 beside its options.
SELECT json_build_object(
    'owner', pg_get_userbyid(s.srvowner),
    'comment', obj_description(s.oid, 'pg_foreign_server'),
    'extension', (SELECT e.extname FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
                  WHERE d.classid = 'pg_catalog.pg_foreign_server'::regclass AND d.objid = s.oid
                    AND d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.deptype = 'e'),
    'grants', CASE WHEN s.srvacl IS NOT NULL THEN COALESCE((SELECT json_agg(json_build_object(
                   'grantee', CASE WHEN g.grantee <> 0 THEN pg_get_userbyid(g.grantee) END,
                   'grantor', pg_get_userbyid(g.grantor), 'right', g.privilege_type, 'grantable', g.is_grantable))
               FROM aclexplode(s.srvacl) g), '[]'::json) END,
    'default_grants', (SELECT json_agg(json_build_object(
                           'grantee', CASE WHEN g.grantee <> 0 THEN pg_get_userbyid(g.grantee) END,
                           'grantor', pg_get_userbyid(g.grantor), 'right', g.privilege_type, 'grantable', g.is_grantable))
                       FROM aclexplode(acldefault('S', s.srvowner)) g)
)::text
FROM pg_catalog.pg_foreign_server s
WHERE s.oid = $1
