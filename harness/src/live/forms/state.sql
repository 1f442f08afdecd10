-- Everything that a form can change, without oids: wrappers, servers, mappings and foreign tables of the database.
SELECT jsonb_build_object(
    'wrappers', (
        SELECT jsonb_agg(jsonb_build_array(fdwname, fdwowner::regrole, fdwhandler::regproc, fdwvalidator::regproc,
                         fdwoptions, fdwacl::text) ORDER BY fdwname)
        FROM pg_foreign_data_wrapper WHERE fdwname <> 'guarded_postgres_fdw'),
    'servers', (
        SELECT jsonb_agg(jsonb_build_array(srvname, fdwname, srvowner::regrole, srvtype, srvversion,
                         CASE WHEN srvname <> 'loopback' THEN srvoptions END, srvacl::text) ORDER BY srvname)
        FROM pg_foreign_server JOIN pg_foreign_data_wrapper w ON w.oid = srvfdw),
    'user mappings', (
        SELECT jsonb_agg(jsonb_build_array(srvname, usename, umoptions) ORDER BY srvname, usename)
        FROM pg_user_mappings),
    'foreign tables', (
        SELECT jsonb_agg(jsonb_build_array(relname, nspname, relowner::regrole, srvname, ftoptions,
            pg_get_expr(relpartbound, t.oid),
            (SELECT jsonb_agg(jsonb_build_array(attnum, attname, format_type(atttypid, atttypmod),
                              CASE WHEN NOT attisdropped THEN attcollation::regcollation END, attnotnull, coalesce(attstattarget, -1), attstorage,
                              attidentity, attgenerated, attfdwoptions, pg_get_expr(adbin, adrelid),
                              (SELECT jsonb_build_array(seqstart, seqincrement, seqmin, seqmax, seqcache, seqcycle)
                               FROM pg_sequence JOIN pg_depend d ON d.objid = seqrelid AND d.deptype = 'i'
                               WHERE d.refobjid = attrelid AND d.refobjsubid = attnum),
                              -- Debian's 15 writes pg_attver there.
                              (SELECT jsonb_agg(o) FROM unnest(attoptions) o WHERE o NOT LIKE 'pg_attver=%'))
                              ORDER BY attnum)
             FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
             WHERE attrelid = t.oid AND attnum > 0),
            (SELECT jsonb_agg(jsonb_build_array(conname, pg_get_constraintdef(c.oid), convalidated, conislocal,
                              coninhcount) ORDER BY conname)
             FROM pg_constraint c WHERE conrelid = t.oid),
            (SELECT jsonb_agg(jsonb_build_array(tgname, pg_get_triggerdef(g.oid), tgenabled) ORDER BY tgname)
             FROM pg_trigger g WHERE tgrelid = t.oid),
            (SELECT jsonb_agg(jsonb_build_array(inhparent::regclass, inhseqno, inhdetachpending) ORDER BY inhseqno)
             FROM pg_inherits WHERE inhrelid = t.oid)) ORDER BY nspname, relname)
        FROM pg_foreign_table JOIN pg_class t ON t.oid = ftrelid JOIN pg_namespace n ON n.oid = relnamespace
        JOIN pg_foreign_server s ON s.oid = ftserver))::text
