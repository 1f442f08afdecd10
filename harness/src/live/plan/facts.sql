-- Everything that a plan can speak of, as PostgreSQL's catalogs have it: a row for each object, with an empty attribute,
-- and one for each attribute that has a value.
WITH wrapper AS (
    SELECT w.*, 'foreign-data wrapper' AS object_type, 'pg_foreign_data_wrapper'::regclass AS class, 0 AS sub
    FROM pg_foreign_data_wrapper w
), server AS (
    SELECT s.*, 'server' AS object_type, 'pg_foreign_server'::regclass AS class, 0 AS sub FROM pg_foreign_server s
), mapping AS (
    SELECT m.*, 'user mapping' AS object_type, 'pg_user_mapping'::regclass AS class, 0 AS sub FROM pg_user_mapping m
), "table" AS (
    SELECT c.*, t.ftoptions, 'foreign table' AS object_type, 'pg_class'::regclass AS class, 0 AS sub
    FROM pg_foreign_table t JOIN pg_class c ON c.oid = t.ftrelid
), "column" AS (
    SELECT a.*, a.attrelid AS oid, 'foreign table column' AS object_type, 'pg_class'::regclass AS class, a.attnum::integer AS sub
    FROM pg_attribute a JOIN pg_foreign_table t ON t.ftrelid = a.attrelid WHERE a.attnum > 0 AND NOT a.attisdropped
), fact AS (
    SELECT object_type, class, oid, sub, v.* FROM wrapper, LATERAL (VALUES
        ('', ''), ('name', fdwname::text), ('owner', pg_get_userbyid(fdwowner)::text),
        ('handler', (SELECT format('%s.%I', pronamespace::regnamespace, proname) FROM pg_proc WHERE oid = fdwhandler)),
        ('validator', (SELECT format('%s.%I', pronamespace::regnamespace, proname) FROM pg_proc WHERE oid = fdwvalidator))) v (attribute, value)
    UNION ALL
    SELECT object_type, class, oid, sub, v.* FROM server, LATERAL (VALUES
        ('', ''), ('name', srvname::text), ('owner', pg_get_userbyid(srvowner)), ('type', srvtype), ('version', srvversion)) v
    UNION ALL
    SELECT object_type, class, oid, sub, '', '' FROM mapping
    UNION ALL
    SELECT object_type, class, oid, sub, v.* FROM "table", LATERAL (VALUES
        ('', ''), ('name', relname::text), ('owner', pg_get_userbyid(relowner)), ('schema', relnamespace::regnamespace::text)) v
    UNION ALL
    SELECT object_type, class, oid, sub, v.* FROM "column", LATERAL (VALUES
        ('', ''), ('name', attname::text), ('type', format_type(atttypid, atttypmod)),
        ('collation', (SELECT CASE collnamespace WHEN 'pg_catalog'::regnamespace THEN collname
                                      ELSE format('%s."%s"', collnamespace::regnamespace, collname) END
                       FROM pg_collation WHERE oid = attcollation)),
        ('not_null', CASE WHEN attnotnull THEN 'true' END),
        ('statistics', CASE WHEN attstattarget >= 0 THEN attstattarget::text END),
        ('attribute_options', (SELECT string_agg(o, ', ' ORDER BY n) FROM unnest(attoptions) WITH ORDINALITY u (o, n)
                               WHERE o NOT LIKE 'pg\_attver=%')),
        ('storage', CASE attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END),
        ('identity', CASE attidentity WHEN 'a' THEN 'ALWAYS' WHEN 'd' THEN 'BY DEFAULT' END || coalesce((
            SELECT format(' (INCREMENT BY %s)', seqincrement) FROM pg_depend e JOIN pg_sequence ON seqrelid = e.objid
            WHERE e.refobjid = attrelid AND e.refobjsubid = attnum AND e.deptype = 'i' AND seqincrement <> 1), '')),
        (CASE attgenerated WHEN '' THEN 'default' ELSE 'generated' END,
         (SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = attrelid AND adnum = attnum))) v
    UNION ALL
    SELECT object_type, class, "table".oid, sub, 'constraint ' || conname, pg_get_constraintdef(c.oid)
    FROM "table" JOIN pg_constraint c ON conrelid = "table".oid
    UNION ALL
    SELECT object_type, class, "table".oid, sub, 'trigger ' || tgname, pg_get_triggerdef(t.oid) || CASE tgenabled
        WHEN 'O' THEN '' WHEN 'R' THEN ' ENABLE REPLICA' WHEN 'A' THEN ' ENABLE ALWAYS' ELSE ' DISABLE' END
    FROM "table" JOIN pg_trigger t ON tgrelid = "table".oid WHERE NOT tgisinternal
    UNION ALL
    SELECT object_type, class, "table".oid, sub, 'parent ' || p.name, p.name
    FROM "table" JOIN pg_inherits ON inhrelid = "table".oid, pg_identify_object('pg_class'::regclass, inhparent, 0) i,
         LATERAL (SELECT concat_ws(' ', i.identity, pg_get_expr(relpartbound, "table".oid))) p (name)
    UNION ALL
    SELECT object_type, class, oid, sub, 'option ' || o.option_name, coalesce(o.option_value, '') FROM (
        SELECT object_type, class, oid, sub, fdwoptions AS options FROM wrapper
        UNION ALL SELECT object_type, class, oid, sub, srvoptions FROM server
        UNION ALL SELECT object_type, class, oid, sub, umoptions FROM mapping
        UNION ALL SELECT object_type, class, oid, sub, ftoptions FROM "table"
        UNION ALL SELECT object_type, class, oid, sub, attfdwoptions FROM "column"
    ) object, pg_options_to_table(options) o
    UNION ALL
    SELECT object_type, class, oid, sub, 'grant ' || g.item, g.item FROM (
        SELECT object_type, class, oid, sub, coalesce(fdwacl, acldefault('F', fdwowner)) AS acl FROM wrapper
        UNION ALL
        SELECT object_type, class, oid, sub, coalesce(srvacl, acldefault('S', srvowner)) FROM server
    ) object, aclexplode(acl) a, LATERAL (
        SELECT unnest(CASE WHEN a.is_grantable THEN ARRAY['', '*'] ELSE ARRAY[''] END) AS mark) m, LATERAL (
        SELECT CASE a.grantee WHEN 0 THEN 'public' ELSE pg_get_userbyid(a.grantee) END || '=U' || m.mark || '/'
               || pg_get_userbyid(a.grantor) AS item) g
)
SELECT object_type, fact.class::oid::bigint AS class, fact.oid::bigint AS oid, sub, i.identity, attribute::text, value::text
FROM fact, pg_identify_object(fact.class, fact.oid, sub) i
WHERE value IS NOT NULL
