-- What get_ddl tells of the foreign table $1 beside its options.
SELECT json_build_object(
    'owner', pg_get_userbyid(c.relowner),
    'comment', obj_description(c.oid, 'pg_class'),
    'extension', (SELECT e.extname FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
                  WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0
                    AND d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.deptype = 'e'),
    'labels', (SELECT json_agg(json_build_object('provider', l.provider, 'label', l.label) ORDER BY l.provider)
               FROM pg_catalog.pg_seclabel l
               WHERE l.classoid = 'pg_catalog.pg_class'::regclass AND l.objoid = c.oid AND l.objsubid = 0),
    'grants', CASE WHEN c.relacl IS NOT NULL THEN COALESCE((SELECT json_agg(json_build_object(
                   'grantee', CASE WHEN g.grantee <> 0 THEN pg_get_userbyid(g.grantee) END,
                   'grantor', pg_get_userbyid(g.grantor), 'right', g.privilege_type, 'grantable', g.is_grantable))
               FROM aclexplode(c.relacl) g), '[]'::json) END,
    'default_grants', (SELECT json_agg(json_build_object(
                           'grantee', CASE WHEN g.grantee <> 0 THEN pg_get_userbyid(g.grantee) END,
                           'grantor', pg_get_userbyid(g.grantor), 'right', g.privilege_type, 'grantable', g.is_grantable))
                       FROM aclexplode(acldefault('r', c.relowner)) g),
    'bound', CASE WHEN c.relispartition THEN pg_get_expr(c.relpartbound, c.oid) END,
    'parents', (
        SELECT json_agg(json_build_object(
            'name', format('%I.%I', n.nspname, p.relname),
            'columns', (
                SELECT json_agg(json_build_object(
                    'name', a.attname, 'default', pg_get_expr(d.adbin, d.adrelid), 'is_generated', a.attgenerated <> '',
                    'not_null', a.attnotnull, 'storage', a.attstorage)
                    ORDER BY a.attnum)
                FROM pg_catalog.pg_attribute a
                LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
                WHERE a.attrelid = p.oid AND a.attnum > 0 AND NOT a.attisdropped)
            ) ORDER BY i.inhseqno)
        FROM pg_catalog.pg_inherits i
        JOIN pg_catalog.pg_class p ON p.oid = i.inhparent
        JOIN pg_catalog.pg_namespace n ON n.oid = p.relnamespace
        WHERE i.inhrelid = c.oid),
    'columns', (
        SELECT json_agg(json_build_object(
            'number', a.attnum,
            'name', a.attname,
            'type', format_type(a.atttypid, a.atttypmod),
            'collation', CASE WHEN a.attcollation <> t.typcollation THEN (
                SELECT format('%I.%I', n.nspname, o.collname)
                FROM pg_catalog.pg_collation o JOIN pg_catalog.pg_namespace n ON n.oid = o.collnamespace
                WHERE o.oid = a.attcollation) END,
            'default', pg_get_expr(d.adbin, d.adrelid),
            'generated', a.attgenerated,
            'identity', a.attidentity,
            'sequences', (
                SELECT json_agg(json_build_object(
                    'name', format('%I.%I', CASE r.relpersistence WHEN 't' THEN 'pg_temp' ELSE n.nspname END, r.relname),
                    'is_of_identity', e.deptype = 'i', 'type', format_type(s.seqtypid, NULL),
                    'start', s.seqstart, 'increment', s.seqincrement,
                    'minimum', s.seqmin, 'maximum', s.seqmax, 'cache', s.seqcache, 'cycle', s.seqcycle)
                    ORDER BY s.seqrelid)
                FROM pg_catalog.pg_depend e
                JOIN pg_catalog.pg_sequence s ON s.seqrelid = e.objid
                JOIN pg_catalog.pg_class r ON r.oid = s.seqrelid
                JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
                WHERE e.refclassid = 'pg_catalog.pg_class'::regclass AND e.refobjid = c.oid AND e.refobjsubid = a.attnum
                  AND e.classid = 'pg_catalog.pg_class'::regclass AND e.deptype IN ('i', 'a')),
            'not_null', a.attnotnull,
            'is_local', a.attislocal,
            'statistics', NULLIF(a.attstattarget, -1),
            -- Debian's PostgreSQL 15 writes one of them into every column by itself.
            'attribute_options', (SELECT json_agg(o) FROM unnest(a.attoptions) o WHERE o NOT LIKE 'pg\_attver=%'),
            'storage', a.attstorage,
            'type_storage', t.typstorage,
            'compression', a.attcompression,
            'comment', col_description(c.oid, a.attnum),
            'labels', (SELECT json_agg(json_build_object('provider', l.provider, 'label', l.label) ORDER BY l.provider)
                       FROM pg_catalog.pg_seclabel l
                       WHERE l.classoid = 'pg_catalog.pg_class'::regclass AND l.objoid = c.oid AND l.objsubid = a.attnum),
            'grants', (SELECT json_agg(json_build_object(
                           'grantee', CASE WHEN g.grantee <> 0 THEN pg_get_userbyid(g.grantee) END,
                           'grantor', pg_get_userbyid(g.grantor), 'right', g.privilege_type, 'grantable', g.is_grantable))
                       FROM aclexplode(a.attacl) g)
            ) ORDER BY a.attnum)
        FROM pg_catalog.pg_attribute a
        JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
        LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
    'constraints', (
        SELECT json_agg(json_build_object(
            'name', k.conname,
            'definition', pg_get_constraintdef(k.oid),
            'not_null_column', CASE WHEN k.contype = 'n' THEN k.conkey[1] END,
            'is_local', k.conislocal,
            'is_validated', k.convalidated,
            'comment', obj_description(k.oid, 'pg_constraint')) ORDER BY k.conname)
        FROM pg_catalog.pg_constraint k
        WHERE k.conrelid = c.oid AND k.contype IN ('c', 'n')),
    'triggers', (
        SELECT json_agg(json_build_object(
            'name', g.tgname,
            'definition', pg_get_triggerdef(g.oid),
            'enabled', g.tgenabled,
            'parent_enabled', (SELECT p.tgenabled FROM pg_catalog.pg_trigger p WHERE p.oid = g.tgparentid),
            'comment', obj_description(g.oid, 'pg_trigger')) ORDER BY g.tgname)
        FROM pg_catalog.pg_trigger g
        WHERE g.tgrelid = c.oid AND NOT g.tgisinternal),
    'statistics', (
        SELECT json_agg(json_build_object(
            'name', format('%I.%I', n.nspname, x.stxname),
            'definition', pg_get_statisticsobjdef(x.oid),
            'owner', pg_get_userbyid(x.stxowner),
            'target', NULLIF(x.stxstattarget, -1),
            'comment', obj_description(x.oid, 'pg_statistic_ext')) ORDER BY n.nspname, x.stxname)
        FROM pg_catalog.pg_statistic_ext x JOIN pg_catalog.pg_namespace n ON n.oid = x.stxnamespace
        WHERE x.stxrelid = c.oid)
)::text
FROM pg_catalog.pg_class c
WHERE c.oid = $1
