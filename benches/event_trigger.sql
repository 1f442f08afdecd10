-- The rules of benches/rules.sql as a DBA would write them in plpgsql today, for speed: options are read once for each
-- object, into one jsonb, and each rule is one IF. It is less than what fdw_guard does: an event trigger does not see what
-- the options were, so that an old fault stops every statement, and its errors name no rule's constraint, option or hint.
CREATE FUNCTION bench_options(options text[]) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(jsonb_object_agg(split_part(option, '=', 1), substr(option, strpos(option, '=') + 1)), '{}')
    FROM unnest(options) option
$$;

CREATE FUNCTION bench_refuse(rule text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    RAISE 'rule "%" is violated', rule USING ERRCODE = 'HV024';
END
$$;

CREATE FUNCTION bench_check_mapping(mapping oid) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    o jsonb;
    server name;
BEGIN
    SELECT bench_options(m.umoptions), s.srvname INTO o, server
        FROM pg_user_mapping m JOIN pg_foreign_server s ON s.oid = m.umserver WHERE m.oid = mapping;
    IF server IS DISTINCT FROM 'bench' THEN RETURN; END IF;
    IF NOT o ? 'user' THEN PERFORM bench_refuse('user required'); END IF;
    IF length(o->>'user') NOT BETWEEN 3 AND 63 THEN PERFORM bench_refuse('user length'); END IF;
    IF o->>'user' !~ '^[a-z_0-9]+$' THEN PERFORM bench_refuse('user letters'); END IF;
    IF o->>'user' !~ '^(reader|writer)_' THEN PERFORM bench_refuse('user kind'); END IF;
    IF o->>'user' = 'postgres' THEN PERFORM bench_refuse('user not postgres'); END IF;
    IF NOT o ? 'password' THEN PERFORM bench_refuse('password required'); END IF;
    IF length(o->>'password') < 12 THEN PERFORM bench_refuse('password length'); END IF;
    IF length(o->>'password') > 128 THEN PERFORM bench_refuse('password limit'); END IF;
    IF lower(o->>'password_required') NOT IN ('true', 'on') THEN PERFORM bench_refuse('password_required'); END IF;
    IF o->>'sslcert' !~ '^/etc/ssl/' THEN PERFORM bench_refuse('sslcert place'); END IF;
    IF o->>'sslcert' !~ '\.crt$' THEN PERFORM bench_refuse('sslcert name'); END IF;
    IF length(o->>'sslcert') > 255 THEN PERFORM bench_refuse('sslcert length'); END IF;
    IF o->>'sslkey' !~ '^/etc/ssl/' THEN PERFORM bench_refuse('sslkey place'); END IF;
    IF o->>'sslkey' !~ '\.key$' THEN PERFORM bench_refuse('sslkey name'); END IF;
    IF length(o->>'sslkey') > 255 THEN PERFORM bench_refuse('sslkey length'); END IF;
    IF o ? 'sslcert' AND NOT o ? 'sslkey' THEN PERFORM bench_refuse('sslkey with sslcert'); END IF;
    IF o ? 'sslkey' AND NOT o ? 'sslcert' THEN PERFORM bench_refuse('sslcert with sslkey'); END IF;
    IF length(o->>'sslpassword') < 12 THEN PERFORM bench_refuse('sslpassword'); END IF;
    IF o ? 'sslpassword' AND NOT o ? 'sslkey' THEN PERFORM bench_refuse('sslpassword with sslkey'); END IF;
    IF o ? 'passfile' THEN PERFORM bench_refuse('passfile'); END IF;
END
$$;

CREATE FUNCTION bench_check_table(foreign_table oid) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    o jsonb;
    server name;
    boolean_words CONSTANT text[] := '{true,false,on,off}';
BEGIN
    SELECT bench_options(t.ftoptions), s.srvname INTO o, server
        FROM pg_foreign_table t JOIN pg_foreign_server s ON s.oid = t.ftserver WHERE t.ftrelid = foreign_table;
    IF server IS DISTINCT FROM 'bench' THEN RETURN; END IF;
    IF NOT o ? 'table_name' THEN PERFORM bench_refuse('name required'); END IF;
    IF length(o->>'table_name') NOT BETWEEN 3 AND 63 THEN PERFORM bench_refuse('name length'); END IF;
    IF o->>'table_name' !~ '^[a-z_0-9]+$' THEN PERFORM bench_refuse('name letters'); END IF;
    IF o->>'table_name' !~ '^(orders|lines)_' THEN PERFORM bench_refuse('name kind'); END IF;
    IF o->>'table_name' = 'secrets' THEN PERFORM bench_refuse('name not secrets'); END IF;
    IF NOT o ? 'schema_name' THEN PERFORM bench_refuse('schema required'); END IF;
    IF o->>'schema_name' NOT IN ('app', 'archive') THEN PERFORM bench_refuse('schema'); END IF;
    IF o->>'schema_name' !~ '^[a-z_0-9]+$' THEN PERFORM bench_refuse('schema letters'); END IF;
    IF length(o->>'schema_name') > 63 THEN PERFORM bench_refuse('schema length'); END IF;
    IF o->>'schema_name' = 'pg_catalog' THEN PERFORM bench_refuse('schema not pg_catalog'); END IF;
    IF (o->>'fetch_size')::integer < 100 THEN PERFORM bench_refuse('fetch_size'); END IF;
    IF (o->>'fetch_size')::integer > 10000 THEN PERFORM bench_refuse('fetch_size limit'); END IF;
    IF (o->>'batch_size')::integer < 1 THEN PERFORM bench_refuse('batch_size'); END IF;
    IF (o->>'batch_size')::integer > 1000 THEN PERFORM bench_refuse('batch_size limit'); END IF;
    IF NOT o ? 'updatable' THEN PERFORM bench_refuse('updatable required'); END IF;
    IF lower(o->>'updatable') NOT IN ('false', 'off') THEN PERFORM bench_refuse('updatable'); END IF;
    IF lower(o->>'truncatable') NOT IN ('false', 'off') THEN PERFORM bench_refuse('truncatable'); END IF;
    IF lower(o->>'async_capable') <> ALL (boolean_words) THEN PERFORM bench_refuse('async_capable'); END IF;
    IF lower(o->>'use_remote_estimate') <> ALL (boolean_words) THEN PERFORM bench_refuse('use_remote_estimate'); END IF;
    IF o->>'analyze_sampling' NOT IN ('off', 'auto', 'random', 'system', 'bernoulli') THEN
        PERFORM bench_refuse('analyze_sampling');
    END IF;
END
$$;

CREATE FUNCTION bench_check() RETURNS event_trigger LANGUAGE plpgsql AS $$
DECLARE
    command record;
BEGIN
    FOR command IN SELECT classid, objid FROM pg_event_trigger_ddl_commands() LOOP
        IF command.classid = 'pg_user_mapping'::regclass THEN
            PERFORM bench_check_mapping(command.objid);
        ELSIF command.classid = 'pg_class'::regclass THEN
            PERFORM bench_check_table(command.objid);
        END IF;
    END LOOP;
END
$$;

CREATE EVENT TRIGGER bench_check ON ddl_command_end
    WHEN TAG IN ('CREATE USER MAPPING', 'ALTER USER MAPPING', 'CREATE FOREIGN TABLE', 'ALTER FOREIGN TABLE')
    EXECUTE FUNCTION bench_check();
