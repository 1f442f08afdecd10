-- The SQL surface of fdw_guard. The script makes the schema itself, so that no other extension's or user's objects stand
-- in it; a schema of that name that exists already is an error.

CREATE SCHEMA fdw_guard;
COMMENT ON SCHEMA fdw_guard IS 'rules for the options of foreign data';
GRANT USAGE ON SCHEMA fdw_guard TO PUBLIC;

-- ---------------------------------------------------------------------------------------------------------------------
-- Rules
-- ---------------------------------------------------------------------------------------------------------------------

CREATE TABLE fdw_guard.rule (
    name          text PRIMARY KEY,
    object_type   text NOT NULL,
    database      text[] NOT NULL DEFAULT '{*}',
    wrapper       text[] NOT NULL DEFAULT '{*}',
    server        text[] NOT NULL DEFAULT '{*}',
    role          text[] NOT NULL DEFAULT '{*}',
    relation      text[] NOT NULL DEFAULT '{*}',
    column_name   text[] NOT NULL DEFAULT '{*}',
    options       json,
    condition     json,
    forms         text[] NOT NULL DEFAULT '{}',
    mode          text NOT NULL DEFAULT 'deny',
    roles         text[],
    except_roles  text[],
    strict        boolean NOT NULL DEFAULT false,
    at_use        text NOT NULL DEFAULT 'off',
    max_age       interval,
    reuse_history integer,
    pack          text,
    description   text,
    message       text,
    hint          text,
    trusted       boolean
);
COMMENT ON TABLE fdw_guard.rule IS 'one rule a row: which objects it matches, what their options must satisfy, which forms it governs';
COMMENT ON COLUMN fdw_guard.rule.name IS 'unique; stands in every message, and in the error''s constraint name';
COMMENT ON COLUMN fdw_guard.rule.object_type IS 'foreign-data wrapper, server, user mapping, foreign table or foreign table column';
COMMENT ON COLUMN fdw_guard.rule.database IS 'patterns as in psql (*, ?, "quoted"); ! before a pattern excludes';
COMMENT ON COLUMN fdw_guard.rule.wrapper IS 'patterns of the wrapper''s own name or its delegate''s';
COMMENT ON COLUMN fdw_guard.rule.server IS 'patterns of the server''s name';
COMMENT ON COLUMN fdw_guard.rule.role IS 'patterns of the role that a user mapping is for; public is the PUBLIC mapping';
COMMENT ON COLUMN fdw_guard.rule.relation IS 'patterns of the foreign table, with or without its schema';
COMMENT ON COLUMN fdw_guard.rule.column_name IS 'patterns of the column''s name';
COMMENT ON COLUMN fdw_guard.rule.options IS 'JSON Schema (2020-12) that the object''s options, as one JSON object, must satisfy';
COMMENT ON COLUMN fdw_guard.rule.condition IS 'JSON Schema; the rule applies only where the context document satisfies it';
COMMENT ON COLUMN fdw_guard.rule.forms IS 'forms of change that violate the rule by themselves';
COMMENT ON COLUMN fdw_guard.rule.mode IS 'deny (ERROR), warn (WARNING), audit (logged only) or off';
COMMENT ON COLUMN fdw_guard.rule.roles IS 'whom the rule binds: members of these roles; everybody if null';
COMMENT ON COLUMN fdw_guard.rule.except_roles IS 'whom it does not bind: members of these roles; nobody if null';
COMMENT ON COLUMN fdw_guard.rule.strict IS 'whether a violation that was there before the statement is raised too';
COMMENT ON COLUMN fdw_guard.rule.at_use IS 'not supported yet: must be off';
COMMENT ON COLUMN fdw_guard.rule.max_age IS 'how long a secret may stay as it is before violations() shows it';
COMMENT ON COLUMN fdw_guard.rule.reuse_history IS 'how many former values a secret may not take again, 1 to 100';
COMMENT ON COLUMN fdw_guard.rule.pack IS 'the rule pack that the rule came from';
COMMENT ON COLUMN fdw_guard.rule.description IS 'why the rule is there';
COMMENT ON COLUMN fdw_guard.rule.message IS 'primary message for whoever violates the rule';
COMMENT ON COLUMN fdw_guard.rule.hint IS 'hint for whoever violates the rule';
COMMENT ON COLUMN fdw_guard.rule.trusted IS 'whether the rule may constrain the value of a secret: true only if a superuser wrote it';

CREATE FUNCTION fdw_guard.check_rule() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'fdw_guard_check_rule';
COMMENT ON FUNCTION fdw_guard.check_rule() IS 'refuses a rule that is not valid, and makes every session read the rules again';

-- ALWAYS, so that neither replication nor session_replication_role lets a rule in unchecked or a change go unseen.
CREATE TRIGGER check_rule BEFORE INSERT OR UPDATE OR DELETE ON fdw_guard.rule
    FOR EACH ROW EXECUTE FUNCTION fdw_guard.check_rule();
ALTER TABLE fdw_guard.rule ENABLE ALWAYS TRIGGER check_rule;
-- A row as it stands when every other trigger has had its say, for the history too.
CREATE TRIGGER check_rule_again AFTER INSERT OR UPDATE OR DELETE ON fdw_guard.rule
    FOR EACH ROW EXECUTE FUNCTION fdw_guard.check_rule();
ALTER TABLE fdw_guard.rule ENABLE ALWAYS TRIGGER check_rule_again;
CREATE TRIGGER check_truncate BEFORE TRUNCATE ON fdw_guard.rule
    FOR EACH STATEMENT EXECUTE FUNCTION fdw_guard.check_rule();
ALTER TABLE fdw_guard.rule ENABLE ALWAYS TRIGGER check_truncate;

SELECT pg_catalog.pg_extension_config_dump('fdw_guard.rule', '');

CREATE FUNCTION fdw_guard.add_rule(
    name        text,
    object_type text,
    option      text,
    required    boolean DEFAULT NULL,
    allowed     text[] DEFAULT NULL,
    pattern     text DEFAULT NULL,
    minimum     numeric DEFAULT NULL,
    maximum     numeric DEFAULT NULL,
    min_length  integer DEFAULT NULL,
    read_only   boolean DEFAULT NULL,
    forbidden   boolean DEFAULT NULL,
    wrapper     text DEFAULT '*',
    server      text DEFAULT '*',
    role        text DEFAULT '*',
    relation    text DEFAULT '*',
    column_name text DEFAULT '*',
    mode        text DEFAULT 'deny',
    message     text DEFAULT NULL
) RETURNS void
    LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO fdw_guard.rule (name, object_type, wrapper, server, role, relation, column_name, mode, message, options)
    VALUES (
        add_rule.name,
        add_rule.object_type,
        ARRAY[add_rule.wrapper],
        ARRAY[add_rule.server],
        ARRAY[add_rule.role],
        ARRAY[add_rule.relation],
        ARRAY[add_rule.column_name],
        add_rule.mode,
        add_rule.message,
        pg_catalog.json_strip_nulls(pg_catalog.json_build_object(
            'type', 'object',
            'required', CASE WHEN required THEN pg_catalog.json_build_array(option) END,
            'properties', pg_catalog.json_build_object(option, CASE
                WHEN forbidden THEN 'false'::json
                ELSE pg_catalog.json_build_object(
                    'type', CASE
                        WHEN minimum IS NULL AND maximum IS NULL THEN 'string'
                        WHEN COALESCE(pg_catalog.scale(minimum), 0) OPERATOR(pg_catalog.=) 0
                         AND COALESCE(pg_catalog.scale(maximum), 0) OPERATOR(pg_catalog.=) 0 THEN 'integer'
                        ELSE 'number'
                    END,
                    'enum', allowed,
                    'pattern', pattern,
                    'minimum', minimum,
                    'maximum', maximum,
                    'minLength', min_length,
                    'readOnly', read_only
                )
            END)
        ))
    );
END;
COMMENT ON FUNCTION fdw_guard.add_rule IS 'writes one rule about one option, without JSON';

CREATE FUNCTION fdw_guard.policy() RETURNS TABLE (
    source text, name text, object_type text, database text[], wrapper text[], server text[], role text[],
    relation text[], column_name text[], options json, condition json, forms text[], mode text, roles text[],
    except_roles text[], strict boolean, at_use text, max_age interval, reuse_history integer, pack text,
    description text, message text, hint text, trusted boolean
)
    STABLE LANGUAGE c AS 'MODULE_PATHNAME', 'fdw_guard_policy';
COMMENT ON FUNCTION fdw_guard.policy() IS 'all rules in force, from the table and from the policy file';

CREATE FUNCTION fdw_guard.policy_schema() RETURNS jsonb
    IMMUTABLE STRICT PARALLEL SAFE LANGUAGE c AS 'MODULE_PATHNAME', 'fdw_guard_policy_schema';
COMMENT ON FUNCTION fdw_guard.policy_schema() IS 'the JSON Schema of a policy document';

-- ---------------------------------------------------------------------------------------------------------------------
-- Rule packs
-- ---------------------------------------------------------------------------------------------------------------------

CREATE FUNCTION fdw_guard.pack_list(OUT name text, OUT description text, OUT wrappers text[], OUT rules integer)
    RETURNS SETOF record
    IMMUTABLE PARALLEL SAFE LANGUAGE c AS 'MODULE_PATHNAME', 'fdw_guard_pack_list';

COMMENT ON FUNCTION fdw_guard.pack_list() IS 'the rule packs that this version of fdw_guard has';

CREATE VIEW fdw_guard.packs AS
    SELECT p.name,
           p.description,
           p.wrappers,
           p.rules,
           (SELECT pg_catalog.count(*) FROM fdw_guard.rule r WHERE r.pack OPERATOR(pg_catalog.=) p.name)::integer AS installed
    FROM fdw_guard.pack_list() p;
COMMENT ON VIEW fdw_guard.packs IS 'rule packs: how many rules each has, and how many of them are installed here';

CREATE FUNCTION fdw_guard.pack_rules(name text) RETURNS SETOF fdw_guard.rule
    IMMUTABLE STRICT PARALLEL SAFE LANGUAGE c AS 'MODULE_PATHNAME', 'fdw_guard_pack_rules';
COMMENT ON FUNCTION fdw_guard.pack_rules(text) IS 'the rules that a pack would install here';

CREATE FUNCTION fdw_guard.install_pack(name text) RETURNS bigint
    STRICT LANGUAGE sql
BEGIN ATOMIC
    DELETE FROM fdw_guard.rule r WHERE r.pack OPERATOR(pg_catalog.=) install_pack.name;
    WITH installed AS (
        INSERT INTO fdw_guard.rule SELECT * FROM fdw_guard.pack_rules(install_pack.name) RETURNING 1
    )
    SELECT pg_catalog.count(*) FROM installed;
END;
COMMENT ON FUNCTION fdw_guard.install_pack(text) IS 'writes the rules of a pack, in place of those that it wrote before; returns how many';

CREATE FUNCTION fdw_guard.uninstall_pack(name text) RETURNS bigint
    STRICT LANGUAGE sql
BEGIN ATOMIC
    WITH removed AS (
        DELETE FROM fdw_guard.rule r WHERE r.pack OPERATOR(pg_catalog.=) uninstall_pack.name RETURNING 1
    )
    -- Who wrote another name is told so; a pack that another version had is removed as long as it has rules.
    SELECT CASE
        WHEN pg_catalog.count(*) OPERATOR(pg_catalog.>) 0 THEN pg_catalog.count(*)
        ELSE (SELECT pg_catalog.count(*) FROM fdw_guard.pack_rules(uninstall_pack.name) r WHERE r.name IS NULL)
    END
    FROM removed;
END;
COMMENT ON FUNCTION fdw_guard.uninstall_pack(text) IS 'removes the rules of a pack; returns how many';

-- ---------------------------------------------------------------------------------------------------------------------
-- History: what changed. Only the library writes the rows; the view shows them.
-- ---------------------------------------------------------------------------------------------------------------------

CREATE TABLE fdw_guard.history_row (
    id                uuid PRIMARY KEY,
    at                timestamptz NOT NULL,
    transaction_id    xid8 NOT NULL,
    ord               integer NOT NULL,
    session_role      text NOT NULL,
    acting_role       text NOT NULL,
    client_addr       inet,
    application_name  text,
    tag               text,
    form              text,
    object_type       text NOT NULL,
    identity          text NOT NULL,
    system_identifier bigint NOT NULL,
    object            oid,
    column_number     smallint,
    attribute         text,
    change            text NOT NULL,
    old               text,
    new               text,
    overridden_rule   text,
    override_reason   text,
    statement         text
);
COMMENT ON TABLE fdw_guard.history_row IS 'the rows behind the view history; only the library writes them';
COMMENT ON COLUMN fdw_guard.history_row.id IS 'what revert() takes';
COMMENT ON COLUMN fdw_guard.history_row.at IS 'when the change was recorded, at the end of its statement';
COMMENT ON COLUMN fdw_guard.history_row.transaction_id IS 'of the cluster that system_identifier names';
COMMENT ON COLUMN fdw_guard.history_row.ord IS 'order within the transaction';
COMMENT ON COLUMN fdw_guard.history_row.session_role IS 'SESSION_USER';
COMMENT ON COLUMN fdw_guard.history_row.acting_role IS 'CURRENT_USER when the object was touched';
COMMENT ON COLUMN fdw_guard.history_row.client_addr IS 'null for a Unix socket';
COMMENT ON COLUMN fdw_guard.history_row.tag IS 'command tag of the statement; null for a change outside any statement';
COMMENT ON COLUMN fdw_guard.history_row.form IS 'kind of change, as rules name it; null for a consequence that no form names';
COMMENT ON COLUMN fdw_guard.history_row.object_type IS 'as pg_identify_object gives it, or rule';
COMMENT ON COLUMN fdw_guard.history_row.identity IS 'as pg_identify_object gave it before the change, or the name of the rule';
COMMENT ON COLUMN fdw_guard.history_row.system_identifier IS 'of the cluster whose object it is, as in pg_control_system()';
COMMENT ON COLUMN fdw_guard.history_row.object IS 'oid in that cluster, of a column that of its table; null for a rule and in a row that was restored from a dump';
COMMENT ON COLUMN fdw_guard.history_row.column_number IS 'of a column';
COMMENT ON COLUMN fdw_guard.history_row.attribute IS 'what of the object changed, as in table_state(), or option, constraint or trigger and its name; null for the object as a whole';
COMMENT ON COLUMN fdw_guard.history_row.change IS 'create or drop of the object, add, set or drop of an attribute';
COMMENT ON COLUMN fdw_guard.history_row.old IS 'before the change; a secret is ***, and what could be taken for one or holds control characters the constant E''...''';
COMMENT ON COLUMN fdw_guard.history_row.new IS 'after the change, likewise';
COMMENT ON COLUMN fdw_guard.history_row.overridden_rule IS 'rules of mode deny that did not refuse the change, because of fdw_guard.enforcement';
COMMENT ON COLUMN fdw_guard.history_row.override_reason IS 'fdw_guard.override_reason at that time';
COMMENT ON COLUMN fdw_guard.history_row.statement IS 'the innermost statement, secrets as ***';

-- Every change pays for an index, and few ask for the life of one object: timeline() reads the table.

CREATE FUNCTION fdw_guard.keep_history() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'fdw_guard_keep_history';
COMMENT ON FUNCTION fdw_guard.keep_history() IS 'refuses whoever would write history by hand';

-- For each row too, because logical replication fires no trigger for statements.
CREATE TRIGGER keep_rows BEFORE INSERT OR UPDATE OR DELETE ON fdw_guard.history_row
    FOR EACH ROW EXECUTE FUNCTION fdw_guard.keep_history();
ALTER TABLE fdw_guard.history_row ENABLE ALWAYS TRIGGER keep_rows;
CREATE TRIGGER keep_table BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON fdw_guard.history_row
    FOR EACH STATEMENT EXECUTE FUNCTION fdw_guard.keep_history();
ALTER TABLE fdw_guard.history_row ENABLE ALWAYS TRIGGER keep_table;

SELECT pg_catalog.pg_extension_config_dump('fdw_guard.history_row', '');

CREATE FUNCTION fdw_guard.may_see_history(object_type text, system_identifier bigint, object oid) RETURNS boolean
    STABLE LANGUAGE c AS 'MODULE_PATHNAME', 'fdw_guard_may_see_history';
COMMENT ON FUNCTION fdw_guard.may_see_history(text, bigint, oid) IS 'whether the caller may see what the options of that object were';

-- What is a secret is asked when a row is read too: a rule may say so later.
CREATE FUNCTION fdw_guard.history_value(
    object_type text, system_identifier bigint, object oid, column_number smallint, attribute text, value text
) RETURNS text
    STABLE LANGUAGE c AS 'MODULE_PATHNAME', 'fdw_guard_history_value';
COMMENT ON FUNCTION fdw_guard.history_value IS 'a value of the history; *** if it is a secret now';

CREATE FUNCTION fdw_guard.history_statement(statement text) RETURNS text
    STABLE STRICT LANGUAGE c AS 'MODULE_PATHNAME', 'fdw_guard_history_statement';
COMMENT ON FUNCTION fdw_guard.history_statement(text) IS 'a statement of the history; *** for what is a secret now';

CREATE VIEW fdw_guard.history AS
    SELECT h.id, h.at, h.transaction_id, h.ord, h.session_role, h.acting_role, h.client_addr, h.application_name, h.tag,
           h.form, h.object_type, h.identity, h.system_identifier, h.object, h.column_number, h.attribute, h.change,
           CASE WHEN h.old OPERATOR(pg_catalog.=) '***' THEN h.old WHEN v.visible THEN fdw_guard.history_value(
               h.object_type, h.system_identifier, h.object, h.column_number, h.attribute, h.old) END AS old,
           CASE WHEN h.new OPERATOR(pg_catalog.=) '***' THEN h.new WHEN v.visible THEN fdw_guard.history_value(
               h.object_type, h.system_identifier, h.object, h.column_number, h.attribute, h.new) END AS new,
           h.overridden_rule, h.override_reason,
           CASE WHEN v.visible THEN fdw_guard.history_statement(h.statement) END AS statement
    FROM fdw_guard.history_row h
    CROSS JOIN LATERAL fdw_guard.may_see_history(h.object_type, h.system_identifier, h.object) v(visible);
COMMENT ON VIEW fdw_guard.history IS 'who changed what, when and from where; values show to those who may see the object''s options';

CREATE FUNCTION fdw_guard.undo(
    object_type text, identity text, system_identifier bigint, object oid, column_number smallint,
    attribute text, change text, old text, new text, dropped_since boolean, changed_since boolean
) RETURNS text[]
    STABLE LANGUAGE c AS 'MODULE_PATHNAME', 'fdw_guard_undo';
COMMENT ON FUNCTION fdw_guard.undo IS 'the statements that undo one row of the history; an error says why there are none';

CREATE FUNCTION fdw_guard.revert_plan(id uuid) RETURNS SETOF text
    STABLE STRICT LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    h fdw_guard.history;
    dropped_since boolean;
    changed_since boolean;
BEGIN
    SELECT * INTO h FROM fdw_guard.history r WHERE r.id = revert_plan.id;
    IF NOT FOUND THEN
        RAISE undefined_object USING MESSAGE = format('the history has no row %s', id);
    END IF;
    IF NOT fdw_guard.may_see_history(h.object_type, h.system_identifier, h.object) THEN
        RAISE insufficient_privilege USING
            MESSAGE = format('permission denied to see what the options of %s "%s" were', h.object_type, h.identity);
    END IF;
    -- Later changes: of the object by its oid, which another may have got, or of a row from a dump by its name, likewise.
    IF h.object IS NOT NULL THEN
        SELECT bool_or(l.attribute IS NULL AND l.change = 'drop' AND l.object_type = h.object_type),
               bool_or(l.at <> h.at AND COALESCE(l.attribute = h.attribute, h.attribute IS NULL))
            INTO dropped_since, changed_since
            FROM fdw_guard.history l
            WHERE l.object = h.object AND l.system_identifier = h.system_identifier
              AND (l.object_type = h.object_type AND l.column_number IS NOT DISTINCT FROM h.column_number
                   OR h.object_type = 'foreign table' AND l.object_type = 'foreign table column')
              AND (l.at, l.transaction_id, l.ord) > (h.at, h.transaction_id, h.ord);
    ELSE
        SELECT bool_or(l.attribute IS NULL AND l.change = 'drop'),
               bool_or(l.at <> h.at AND COALESCE(l.attribute = h.attribute, h.attribute IS NULL))
            INTO dropped_since, changed_since
            FROM fdw_guard.history l
            WHERE l.object IS NULL AND l.object_type = h.object_type AND l.identity = h.identity
              AND (l.at, l.transaction_id, l.ord) > (h.at, h.transaction_id, h.ord);
    END IF;
    RETURN QUERY SELECT unnest(fdw_guard.undo(
        h.object_type, h.identity, h.system_identifier, h.object, h.column_number, h.attribute, h.change, h.old, h.new,
        dropped_since, changed_since));
END $$;
COMMENT ON FUNCTION fdw_guard.revert_plan(uuid) IS 'the statements that revert() would run';

CREATE FUNCTION fdw_guard.lock_recorded(
    object_type text, identity text, system_identifier bigint, object oid, column_number smallint
) RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'fdw_guard_lock_recorded';
COMMENT ON FUNCTION fdw_guard.lock_recorded(text, text, bigint, oid, smallint) IS 'keeps others from changing the object of a row of the history, if the caller may change it';

CREATE FUNCTION fdw_guard.revert(id uuid) RETURNS SETOF text
    STRICT LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    statement text;
BEGIN
    -- Before the look at what is now, which has a snapshot of its own.
    PERFORM fdw_guard.lock_recorded(h.object_type, h.identity, h.system_identifier, h.object, h.column_number)
    FROM fdw_guard.history h WHERE h.id = revert.id;
    FOR statement IN SELECT * FROM fdw_guard.revert_plan(id) LOOP
        EXECUTE statement;
        RETURN NEXT statement;
    END LOOP;
END $$;
COMMENT ON FUNCTION fdw_guard.revert(uuid) IS 'undoes one recorded change, with the rights of the caller and through the rules; returns the statements';

CREATE FUNCTION fdw_guard.object_now(
    object_type text, identity text,
    OUT system_identifier bigint, OUT object oid, OUT column_number integer
) RETURNS SETOF record
    STABLE STRICT ROWS 1 LANGUAGE c AS 'MODULE_PATHNAME', 'fdw_guard_object_now';
COMMENT ON FUNCTION fdw_guard.object_now(text, text) IS 'the object that has that identity now, as the history names it';

-- A line for each statement, and below it one for each attribute that it changed.
CREATE FUNCTION fdw_guard.timeline(object_type text, identity text) RETURNS SETOF text
    STABLE STRICT LANGUAGE sql SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH known AS (
        SELECT h.system_identifier, h.object, COALESCE(h.column_number, 0) AS column_number
        FROM fdw_guard.history h
        WHERE h.object_type = timeline.object_type AND h.identity = timeline.identity AND h.object IS NOT NULL
        UNION
        SELECT n.system_identifier, n.object, n.column_number
        FROM fdw_guard.object_now(timeline.object_type, timeline.identity) n
    ), found AS (
        SELECT h.*
        FROM fdw_guard.history h
        WHERE h.object_type = timeline.object_type AND h.identity = timeline.identity
        UNION
        SELECT h.*
        FROM fdw_guard.history h
        WHERE h.object = ANY (ARRAY(SELECT k.object FROM known k))
          AND EXISTS (
              SELECT FROM known k
              WHERE k.object = h.object AND k.system_identifier = h.system_identifier
                AND (h.object_type = timeline.object_type AND COALESCE(h.column_number, 0) = k.column_number
                     OR timeline.object_type = 'foreign table' AND h.object_type = 'foreign table column'))
    ), life AS (
        SELECT f.*, lag(f.at) OVER (ORDER BY f.at, f.transaction_id, f.ord) IS DISTINCT FROM f.at AS is_first
        FROM found f
    )
    SELECT line
    FROM (
        SELECT at, transaction_id, ord, place, line
        FROM life l, LATERAL (VALUES
            (1, CASE WHEN is_first THEN
                concat(to_char(at, 'YYYY-MM-DD HH24:MI:SSOF'), '  ', acting_role,
                       CASE WHEN session_role <> acting_role THEN ', logged in as ' || session_role END,
                       ' from ' || client_addr, ' (' || NULLIF(application_name, '') || ')',
                       ': ' || tag, ', overriding ' || overridden_rule, ' (' || override_reason || ')')
            END),
            (2, concat('    ',
                CASE WHEN l.object_type <> timeline.object_type THEN 'column ' || l.identity || ' ' END,
                CASE
                    WHEN attribute IS NULL AND change = 'create' THEN 'created'
                    WHEN attribute IS NULL THEN 'dropped'
                    WHEN change = 'add' THEN attribute || COALESCE(': ' || new, ' added')
                    WHEN change = 'drop' THEN attribute || ' dropped' || COALESCE(', was ' || old, '')
                    ELSE attribute || COALESCE(': ' || old || ' -> ' || new, ' set')
                END))
        ) AS lines(place, line)
        WHERE line IS NOT NULL
        UNION ALL
        -- Asked in any case, because it refuses what is no type of object.
        SELECT NULL, NULL, NULL, NULL, NULL
        FROM fdw_guard.object_now(timeline.object_type, timeline.identity) n
        WHERE n.object IS NULL
    ) told
    ORDER BY at, transaction_id, ord, place;
END;
COMMENT ON FUNCTION fdw_guard.timeline(text, text) IS 'the life of one object as readable text, through renames';

CREATE FUNCTION fdw_guard.shared_secrets(
    OUT secret integer, OUT role text, OUT server text, OUT option text
) RETURNS SETOF record
    STABLE LANGUAGE c AS 'MODULE_PATHNAME', 'fdw_guard_shared_secrets';
COMMENT ON FUNCTION fdw_guard.shared_secrets() IS 'which user mappings hold the same secret, for superusers; equal numbers stand for equal secrets';

CREATE FUNCTION fdw_guard.prune_history(older_than interval) RETURNS bigint
    STRICT LANGUAGE c AS 'MODULE_PATHNAME', 'fdw_guard_prune_history';
COMMENT ON FUNCTION fdw_guard.prune_history(interval) IS 'removes rows of the history that are older; returns how many';

-- ---------------------------------------------------------------------------------------------------------------------
-- The past of secrets, for rules that have max_age or reuse_history. It is no one's to read: row level security without a
-- policy keeps even pg_read_all_data from it. It is not dumped, because oids mean nothing elsewhere.
-- ---------------------------------------------------------------------------------------------------------------------

CREATE TABLE fdw_guard.secret_row (
    catalog           oid NOT NULL,
    object            oid NOT NULL,
    column_number     smallint NOT NULL,
    option            text NOT NULL,
    system_identifier bigint NOT NULL,
    database          oid NOT NULL,
    writer            xid NOT NULL,
    set_at            timestamptz,
    verifiers         text[] NOT NULL,
    PRIMARY KEY (catalog, object, column_number, option)
);
COMMENT ON TABLE fdw_guard.secret_row IS 'since when secrets have their values, and verifiers of those that they had; only the library writes it';
COMMENT ON COLUMN fdw_guard.secret_row.catalog IS 'the catalog that holds the object';
COMMENT ON COLUMN fdw_guard.secret_row.object IS 'its oid, of a column that of its table';
COMMENT ON COLUMN fdw_guard.secret_row.column_number IS 'of a column, otherwise 0';
COMMENT ON COLUMN fdw_guard.secret_row.option IS 'the option that is a secret';
COMMENT ON COLUMN fdw_guard.secret_row.system_identifier IS 'of the cluster whose object it is, as in pg_control_system()';
COMMENT ON COLUMN fdw_guard.secret_row.database IS 'the database whose object it is; a clone has another';
COMMENT ON COLUMN fdw_guard.secret_row.writer IS 'the transaction that wrote the object''s options when the library last saw them; where it is another, nobody knows since when they are so';
COMMENT ON COLUMN fdw_guard.secret_row.set_at IS 'when the option got its value; null if that is not known';
COMMENT ON COLUMN fdw_guard.secret_row.verifiers IS 'of the values that it had, the last first, each salted and iterated as PostgreSQL does with passwords';

ALTER TABLE fdw_guard.secret_row ENABLE ROW LEVEL SECURITY;

CREATE FUNCTION fdw_guard.keep_secrets() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'fdw_guard_keep_secrets';
COMMENT ON FUNCTION fdw_guard.keep_secrets() IS 'refuses whoever would write by hand what is known of secrets';

CREATE TRIGGER keep_rows BEFORE INSERT OR UPDATE OR DELETE ON fdw_guard.secret_row
    FOR EACH ROW EXECUTE FUNCTION fdw_guard.keep_secrets();
ALTER TABLE fdw_guard.secret_row ENABLE ALWAYS TRIGGER keep_rows;
CREATE TRIGGER keep_table BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON fdw_guard.secret_row
    FOR EACH STATEMENT EXECUTE FUNCTION fdw_guard.keep_secrets();
ALTER TABLE fdw_guard.secret_row ENABLE ALWAYS TRIGGER keep_table;

CREATE FUNCTION fdw_guard.prune_secrets() RETURNS bigint
    LANGUAGE c AS 'MODULE_PATHNAME', 'fdw_guard_prune_secrets';
COMMENT ON FUNCTION fdw_guard.prune_secrets() IS 'removes what no rule in force asks for of the past of secrets; returns of how many secrets';

-- ---------------------------------------------------------------------------------------------------------------------
-- State: what the options are. Values show only to those who see them in pg_user_mappings, secrets to nobody.
-- ---------------------------------------------------------------------------------------------------------------------

CREATE FUNCTION fdw_guard.visible_options(
    catalog regclass, object oid, column_number integer,
    OUT option text, OUT value text, OUT is_secret boolean
) RETURNS SETOF record
    STABLE STRICT LANGUAGE c AS 'MODULE_PATHNAME', 'fdw_guard_visible_options';
COMMENT ON FUNCTION fdw_guard.visible_options(regclass, oid, integer) IS 'the options of one object, secrets shown as ***';

CREATE FUNCTION fdw_guard.shown_options(
    options text[], catalog regclass, object oid, column_number integer, server oid,
    OUT option text, OUT value text, OUT is_secret boolean
) RETURNS SETOF record
    STABLE STRICT ROWS 4 LANGUAGE c AS 'MODULE_PATHNAME', 'fdw_guard_shown_options';
COMMENT ON FUNCTION fdw_guard.shown_options(text[], regclass, oid, integer, oid) IS 'the options that the caller has read from the catalog, secrets of that object shown as ***';

CREATE FUNCTION fdw_guard.visible_options_object(catalog regclass, object oid, column_number integer) RETURNS jsonb
    STABLE STRICT LANGUAGE sql
    RETURN (
        SELECT pg_catalog.jsonb_object_agg(o.option, o.value)
        FROM fdw_guard.visible_options(catalog, object, column_number) o
    );
COMMENT ON FUNCTION fdw_guard.visible_options_object(regclass, oid, integer) IS 'the same as one JSON object';

CREATE FUNCTION fdw_guard.server_options(name name) RETURNS jsonb
    STABLE STRICT LANGUAGE c AS 'MODULE_PATHNAME', 'fdw_guard_server_options';
COMMENT ON FUNCTION fdw_guard.server_options(name) IS 'the options of a server, secrets shown as ***';

CREATE FUNCTION fdw_guard.user_mapping_options(role name, server name) RETURNS jsonb
    STABLE STRICT LANGUAGE c AS 'MODULE_PATHNAME', 'fdw_guard_user_mapping_options';
COMMENT ON FUNCTION fdw_guard.user_mapping_options(name, name) IS 'the options of a user mapping; null where pg_user_mappings shows none';

CREATE FUNCTION fdw_guard.foreign_table_options(relation regclass) RETURNS jsonb
    STABLE STRICT LANGUAGE c AS 'MODULE_PATHNAME', 'fdw_guard_foreign_table_options';
COMMENT ON FUNCTION fdw_guard.foreign_table_options(regclass) IS 'the options of a foreign table, secrets shown as ***';

CREATE FUNCTION fdw_guard.foreign_table_options(relation text) RETURNS jsonb
    STABLE STRICT LANGUAGE c AS 'MODULE_PATHNAME', 'fdw_guard_foreign_table_options';
COMMENT ON FUNCTION fdw_guard.foreign_table_options(text) IS 'the same, with a suggestion where no table has that name';

CREATE FUNCTION fdw_guard.column_options(relation regclass, column_name name) RETURNS jsonb
    STABLE STRICT LANGUAGE c AS 'MODULE_PATHNAME', 'fdw_guard_column_options';
COMMENT ON FUNCTION fdw_guard.column_options(regclass, name) IS 'the options of a column of a foreign table, secrets shown as ***';

CREATE FUNCTION fdw_guard.column_options(relation text, column_name name) RETURNS jsonb
    STABLE STRICT LANGUAGE c AS 'MODULE_PATHNAME', 'fdw_guard_column_options';
COMMENT ON FUNCTION fdw_guard.column_options(text, name) IS 'the same, with a suggestion where no table has that name';

CREATE FUNCTION fdw_guard.effective_options(
    relation regclass, role name,
    OUT option text, OUT value text, OUT is_secret boolean, OUT object_type text, OUT identity text, OUT overrides text
) RETURNS SETOF record
    STABLE STRICT LANGUAGE c AS 'MODULE_PATHNAME', 'fdw_guard_effective_options';
COMMENT ON FUNCTION fdw_guard.effective_options(regclass, name) IS 'what a query by that role would really use, and where each option comes from';

CREATE FUNCTION fdw_guard.effective_options(
    relation text, role name,
    OUT option text, OUT value text, OUT is_secret boolean, OUT object_type text, OUT identity text, OUT overrides text
) RETURNS SETOF record
    STABLE STRICT LANGUAGE c AS 'MODULE_PATHNAME', 'fdw_guard_effective_options';
COMMENT ON FUNCTION fdw_guard.effective_options(text, name) IS 'the same, with a suggestion where no table has that name';

CREATE FUNCTION fdw_guard.table_state(relation regclass) RETURNS jsonb
    STABLE STRICT LANGUAGE c AS 'MODULE_PATHNAME', 'fdw_guard_table_state';
COMMENT ON FUNCTION fdw_guard.table_state(regclass) IS 'everything about a foreign table that a form can change, secrets shown as ***';

CREATE FUNCTION fdw_guard.table_state(relation text) RETURNS jsonb
    STABLE STRICT LANGUAGE c AS 'MODULE_PATHNAME', 'fdw_guard_table_state';
COMMENT ON FUNCTION fdw_guard.table_state(text) IS 'the same, with a suggestion where no table has that name';

CREATE FUNCTION fdw_guard.get_ddl(object_type text, identity text) RETURNS text
    STABLE STRICT LANGUAGE c AS 'MODULE_PATHNAME', 'fdw_guard_get_ddl';
COMMENT ON FUNCTION fdw_guard.get_ddl(text, text) IS 'the statements that would create a wrapper, server, user mapping or foreign table again, without secrets';

CREATE FUNCTION fdw_guard.get_ddl(relation regclass) RETURNS text
    STABLE STRICT LANGUAGE c AS 'MODULE_PATHNAME', 'fdw_guard_get_ddl_of_relation';
COMMENT ON FUNCTION fdw_guard.get_ddl(regclass) IS 'the statements that would create a foreign table again, without secrets';

CREATE FUNCTION fdw_guard.get_ddl(relation text) RETURNS text
    STABLE STRICT LANGUAGE c AS 'MODULE_PATHNAME', 'fdw_guard_get_ddl_of_relation';
COMMENT ON FUNCTION fdw_guard.get_ddl(text) IS 'the same, with a suggestion where no table has that name';

CREATE VIEW fdw_guard.servers AS
    SELECT s.oid,
           s.srvname AS server,
           w.fdwname AS wrapper,
           pg_catalog.pg_get_userbyid(s.srvowner) AS owner,
           s.srvtype AS type,
           s.srvversion AS version,
           fdw_guard.visible_options_object('pg_catalog.pg_foreign_server', s.oid, 0) AS options
    FROM pg_catalog.pg_foreign_server s
    JOIN pg_catalog.pg_foreign_data_wrapper w ON w.oid OPERATOR(pg_catalog.=) s.srvfdw;
COMMENT ON VIEW fdw_guard.servers IS 'servers with their options';

CREATE VIEW fdw_guard.user_mappings AS
    SELECT m.umid AS oid,
           m.usename AS role,
           m.srvname AS server,
           w.fdwname AS wrapper,
           fdw_guard.visible_options_object('pg_catalog.pg_user_mapping', m.umid, 0) AS options
    FROM pg_catalog.pg_user_mappings m
    JOIN pg_catalog.pg_foreign_server s ON s.oid OPERATOR(pg_catalog.=) m.srvid
    JOIN pg_catalog.pg_foreign_data_wrapper w ON w.oid OPERATOR(pg_catalog.=) s.srvfdw;
COMMENT ON VIEW fdw_guard.user_mappings IS 'user mappings with their options; options is null where pg_user_mappings shows none';

CREATE VIEW fdw_guard.foreign_tables AS
    SELECT c.oid,
           c.oid::regclass AS relation,
           n.nspname AS schema,
           c.relname AS name,
           s.srvname AS server,
           w.fdwname AS wrapper,
           pg_catalog.pg_get_userbyid(c.relowner) AS owner,
           fdw_guard.visible_options_object('pg_catalog.pg_class', c.oid, 0) AS options
    FROM pg_catalog.pg_foreign_table t
    JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) t.ftrelid
    JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
    JOIN pg_catalog.pg_foreign_server s ON s.oid OPERATOR(pg_catalog.=) t.ftserver
    JOIN pg_catalog.pg_foreign_data_wrapper w ON w.oid OPERATOR(pg_catalog.=) s.srvfdw;
COMMENT ON VIEW fdw_guard.foreign_tables IS 'foreign tables with their options';

CREATE VIEW fdw_guard.foreign_columns AS
    SELECT t.oid,
           t.relation,
           t.schema,
           t.name,
           t.server,
           t.wrapper,
           a.attnum AS column_number,
           a.attname AS column_name,
           pg_catalog.format_type(a.atttypid, a.atttypmod) AS type,
           fdw_guard.visible_options_object('pg_catalog.pg_class', t.oid, a.attnum) AS options
    FROM fdw_guard.foreign_tables t
    JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) t.oid
    WHERE a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped;
COMMENT ON VIEW fdw_guard.foreign_columns IS 'columns of foreign tables with their options';

-- Each catalog is read once; the function gets the array that the view may read, and adds nothing to it.
CREATE VIEW fdw_guard.options AS
    SELECT 'foreign-data wrapper' AS object_type, w.wrapper, NULL::name AS server, NULL::name AS role,
           NULL::regclass AS relation, NULL::name AS column_name, (w.o).option, (w.o).value, (w.o).is_secret
    FROM (
        SELECT w.fdwname AS wrapper,
               fdw_guard.shown_options(w.fdwoptions, 'pg_catalog.pg_foreign_data_wrapper', w.oid, 0, 0) AS o
        FROM pg_catalog.pg_foreign_data_wrapper w
        WHERE w.fdwoptions IS NOT NULL
    ) w
    UNION ALL
    SELECT 'server', s.wrapper, s.server, NULL, NULL, NULL, (s.o).option, (s.o).value, (s.o).is_secret
    FROM (
        SELECT w.fdwname AS wrapper, s.srvname AS server,
               fdw_guard.shown_options(s.srvoptions, 'pg_catalog.pg_foreign_server', s.oid, 0, s.oid) AS o
        FROM pg_catalog.pg_foreign_server s
        JOIN pg_catalog.pg_foreign_data_wrapper w ON w.oid OPERATOR(pg_catalog.=) s.srvfdw
        WHERE s.srvoptions IS NOT NULL
    ) s
    UNION ALL
    SELECT 'user mapping', m.wrapper, m.server, m.role, NULL, NULL, (m.o).option, (m.o).value, (m.o).is_secret
    FROM (
        SELECT w.fdwname AS wrapper, m.srvname AS server, m.usename AS role,
               fdw_guard.shown_options(m.umoptions, 'pg_catalog.pg_user_mapping', m.umid, 0, m.srvid) AS o
        FROM pg_catalog.pg_user_mappings m
        JOIN pg_catalog.pg_foreign_server s ON s.oid OPERATOR(pg_catalog.=) m.srvid
        JOIN pg_catalog.pg_foreign_data_wrapper w ON w.oid OPERATOR(pg_catalog.=) s.srvfdw
    ) m
    UNION ALL
    SELECT 'foreign table', t.wrapper, t.server, NULL, t.relation, NULL, (t.o).option, (t.o).value, (t.o).is_secret
    FROM (
        SELECT w.fdwname AS wrapper, s.srvname AS server, t.ftrelid::regclass AS relation,
               fdw_guard.shown_options(t.ftoptions, 'pg_catalog.pg_class', t.ftrelid, 0, t.ftserver) AS o
        FROM pg_catalog.pg_foreign_table t
        JOIN pg_catalog.pg_foreign_server s ON s.oid OPERATOR(pg_catalog.=) t.ftserver
        JOIN pg_catalog.pg_foreign_data_wrapper w ON w.oid OPERATOR(pg_catalog.=) s.srvfdw
        WHERE t.ftoptions IS NOT NULL
    ) t
    UNION ALL
    SELECT 'foreign table column', c.wrapper, c.server, NULL, c.relation, c.column_name,
           (c.o).option, (c.o).value, (c.o).is_secret
    FROM (
        SELECT w.fdwname AS wrapper, s.srvname AS server, t.ftrelid::regclass AS relation, a.attname AS column_name,
               fdw_guard.shown_options(a.attfdwoptions, 'pg_catalog.pg_class', t.ftrelid, a.attnum, t.ftserver) AS o
        FROM pg_catalog.pg_foreign_table t
        JOIN pg_catalog.pg_foreign_server s ON s.oid OPERATOR(pg_catalog.=) t.ftserver
        JOIN pg_catalog.pg_foreign_data_wrapper w ON w.oid OPERATOR(pg_catalog.=) s.srvfdw
        JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) t.ftrelid
        WHERE a.attfdwoptions IS NOT NULL AND NOT a.attisdropped
    ) c;
COMMENT ON VIEW fdw_guard.options IS 'every option of every foreign object, a row each; secrets shown as ***';

CREATE FUNCTION fdw_guard.plan(
    sql text, lock_timeout interval DEFAULT '2s',
    OUT seq integer, OUT object_type text, OUT identity text, OUT attribute text, OUT change text, OUT old text, OUT new text,
    OUT verdict text, OUT rule text, OUT detail text
) RETURNS SETOF record
    LANGUAGE c AS 'MODULE_PATHNAME', 'fdw_guard_plan';
COMMENT ON FUNCTION fdw_guard.plan(text, interval) IS 'what statements would change and violate; they are run and always rolled back';

CREATE FUNCTION fdw_guard.explain_plan(sql text, lock_timeout interval DEFAULT '2s') RETURNS SETOF text
    LANGUAGE c AS 'MODULE_PATHNAME', 'fdw_guard_explain_plan';
COMMENT ON FUNCTION fdw_guard.explain_plan(text, interval) IS 'the same as a text that reads like a diff';
-- ---------------------------------------------------------------------------------------------------------------------
-- What is wrong now
-- ---------------------------------------------------------------------------------------------------------------------

CREATE FUNCTION fdw_guard.violations(
    rule json DEFAULT NULL, rule_name text DEFAULT NULL, object_type text DEFAULT NULL, server name DEFAULT NULL,
    OUT rule text, OUT mode text, OUT object_type text, OUT identity text, OUT option text, OUT message text,
    OUT detail text, OUT hint text, OUT fix text
) RETURNS SETOF record
    STABLE LANGUAGE c AS 'MODULE_PATHNAME', 'fdw_guard_violations';
COMMENT ON FUNCTION fdw_guard.violations(json, text, text, name) IS 'what violates the rules in force, or one that is tried, as it stands, with the statement that would mend it';

CREATE FUNCTION fdw_guard.policy_check(
    OUT rule text, OUT source text, OUT severity text, OUT finding text, OUT detail text, OUT hint text
) RETURNS SETOF record
    STABLE LANGUAGE c AS 'MODULE_PATHNAME', 'fdw_guard_policy_check';
COMMENT ON FUNCTION fdw_guard.policy_check() IS 'rules in force that can never match, can never be satisfied, or say nothing that another does not say';

CREATE FUNCTION fdw_guard.status(OUT protection text, OUT active boolean, OUT detail text, OUT hint text)
    RETURNS SETOF record
    STABLE LANGUAGE c AS 'MODULE_PATHNAME', 'fdw_guard_status';
COMMENT ON FUNCTION fdw_guard.status() IS 'which protections are active in this session, and why others are not';

-- ---------------------------------------------------------------------------------------------------------------------
-- Desired state: options are made so, by the ALTER that it takes and with the rights of whoever calls. Not strict: what is
-- not given is an error, lest it look as if there had been nothing to do.
-- ---------------------------------------------------------------------------------------------------------------------

CREATE FUNCTION fdw_guard.set_server_options(
    server name, options jsonb,
    OUT option text, OUT change text, OUT old text, OUT new text
) RETURNS SETOF record
    LANGUAGE c AS 'MODULE_PATHNAME', 'fdw_guard_set_server_options';
COMMENT ON FUNCTION fdw_guard.set_server_options(name, jsonb) IS 'makes options of a server so, null dropping one; returns what it changed';

CREATE FUNCTION fdw_guard.set_user_mapping_options(
    role name, server name, options jsonb, "create" boolean DEFAULT false,
    OUT option text, OUT change text, OUT old text, OUT new text
) RETURNS SETOF record
    LANGUAGE c AS 'MODULE_PATHNAME', 'fdw_guard_set_user_mapping_options';
COMMENT ON FUNCTION fdw_guard.set_user_mapping_options(name, name, jsonb, boolean) IS 'makes options of a user mapping so, and on request the mapping; returns what it changed';

CREATE FUNCTION fdw_guard.set_foreign_table_options(
    relation regclass, options jsonb,
    OUT option text, OUT change text, OUT old text, OUT new text
) RETURNS SETOF record
    LANGUAGE c AS 'MODULE_PATHNAME', 'fdw_guard_set_foreign_table_options';
COMMENT ON FUNCTION fdw_guard.set_foreign_table_options(regclass, jsonb) IS 'makes options of a foreign table so, null dropping one; returns what it changed';

CREATE FUNCTION fdw_guard.set_foreign_table_options(
    relation text, options jsonb,
    OUT option text, OUT change text, OUT old text, OUT new text
) RETURNS SETOF record
    LANGUAGE c AS 'MODULE_PATHNAME', 'fdw_guard_set_foreign_table_options';
COMMENT ON FUNCTION fdw_guard.set_foreign_table_options(text, jsonb) IS 'the same, with a suggestion where no table has that name';

CREATE FUNCTION fdw_guard.set_column_options(
    relation regclass, column_name name, options jsonb,
    OUT option text, OUT change text, OUT old text, OUT new text
) RETURNS SETOF record
    LANGUAGE c AS 'MODULE_PATHNAME', 'fdw_guard_set_column_options';
COMMENT ON FUNCTION fdw_guard.set_column_options(regclass, name, jsonb) IS 'makes options of a column of a foreign table so, null dropping one; returns what it changed';

CREATE FUNCTION fdw_guard.set_column_options(
    relation text, column_name name, options jsonb,
    OUT option text, OUT change text, OUT old text, OUT new text
) RETURNS SETOF record
    LANGUAGE c AS 'MODULE_PATHNAME', 'fdw_guard_set_column_options';
COMMENT ON FUNCTION fdw_guard.set_column_options(text, name, jsonb) IS 'the same, with a suggestion where no table has that name';

CREATE FUNCTION fdw_guard.rotate_secret(
    option text, value text, server_pattern text DEFAULT '*', role_pattern text DEFAULT '*',
    OUT server text, OUT role text, OUT change text
) RETURNS SETOF record
    LANGUAGE c AS 'MODULE_PATHNAME', 'fdw_guard_rotate_secret';
COMMENT ON FUNCTION fdw_guard.rotate_secret(text, text, text, text) IS 'gives an option a new value in all matching user mappings that have it, or in none; returns which';

-- ---------------------------------------------------------------------------------------------------------------------
-- Guarded wrappers: our handler and our validator in front of another wrapper's, the delegate. Its name stands in the
-- functions' own settings.
-- ---------------------------------------------------------------------------------------------------------------------

CREATE FUNCTION fdw_guard.guarded_postgres_fdw_handler() RETURNS fdw_handler
    STRICT LANGUAGE c SET fdw_guard.delegate = 'postgres_fdw' AS 'MODULE_PATHNAME', 'fdw_guard_handler';
COMMENT ON FUNCTION fdw_guard.guarded_postgres_fdw_handler() IS 'handler of the guarded wrapper guarded_postgres_fdw';

CREATE FUNCTION fdw_guard.guarded_postgres_fdw_validator(options text[], catalog oid) RETURNS void
    STRICT LANGUAGE c SET fdw_guard.delegate = 'postgres_fdw' AS 'MODULE_PATHNAME', 'fdw_guard_validator';
COMMENT ON FUNCTION fdw_guard.guarded_postgres_fdw_validator(text[], oid) IS 'validator of the guarded wrapper guarded_postgres_fdw';

CREATE FOREIGN DATA WRAPPER guarded_postgres_fdw
    HANDLER fdw_guard.guarded_postgres_fdw_handler
    VALIDATOR fdw_guard.guarded_postgres_fdw_validator;
COMMENT ON FOREIGN DATA WRAPPER guarded_postgres_fdw IS 'postgres_fdw, with the rules of fdw_guard';

CREATE FUNCTION fdw_guard.delegate_of(
    wrapper oid,
    OUT delegate text, OUT in_place boolean, OUT handler regprocedure, OUT validator regprocedure
) RETURNS SETOF record
    STABLE STRICT LANGUAGE c AS 'MODULE_PATHNAME', 'fdw_guard_delegate_of';
COMMENT ON FUNCTION fdw_guard.delegate_of(oid) IS 'the delegate of a guarded wrapper, and its functions';

CREATE VIEW fdw_guard.guarded_wrappers AS
    SELECT w.oid, w.fdwname AS wrapper, d.delegate, d.in_place, d.handler, d.validator
    FROM pg_catalog.pg_foreign_data_wrapper w, fdw_guard.delegate_of(w.oid) d;
COMMENT ON VIEW fdw_guard.guarded_wrappers IS 'guarded wrappers: the delegate of each, and the functions that do the work';

CREATE FUNCTION fdw_guard.wrapper_oid(name name) RETURNS oid
    STABLE STRICT LANGUAGE c AS 'MODULE_PATHNAME', 'fdw_guard_wrapper_oid';
COMMENT ON FUNCTION fdw_guard.wrapper_oid(name) IS 'the wrapper of that name; an error with a suggestion where there is none';

CREATE FUNCTION fdw_guard.link_delegate(ours regprocedure, theirs regprocedure) RETURNS void
    STRICT LANGUAGE c AS 'MODULE_PATHNAME', 'fdw_guard_link_delegate';
COMMENT ON FUNCTION fdw_guard.link_delegate(regprocedure, regprocedure) IS 'makes a guarded wrapper''s function depend on the one that it calls';

CREATE FUNCTION fdw_guard.renew_tables(wrapper oid) RETURNS void
    STRICT LANGUAGE c AS 'MODULE_PATHNAME', 'fdw_guard_renew_tables';
COMMENT ON FUNCTION fdw_guard.renew_tables(oid) IS 'makes every session ask the wrapper''s handler anew';

-- A name has 63 bytes, of which the longer ending takes ten; a character has up to four.
CREATE FUNCTION fdw_guard.function_stem(wrapper name) RETURNS text
    IMMUTABLE STRICT LANGUAGE sql
    RETURN CASE WHEN pg_catalog.octet_length(wrapper::text) OPERATOR(pg_catalog.<=) 53 THEN wrapper::text
                ELSE pg_catalog.concat(pg_catalog.left(wrapper::text, 10), '_', pg_catalog.left(pg_catalog.md5(wrapper::text), 12)) END;
COMMENT ON FUNCTION fdw_guard.function_stem(name) IS 'with which the names of the functions of a guarded wrapper begin';

-- Makes the two functions of a guarded wrapper with the settings that name its delegate; gives their names. Functions that
-- a dropped wrapper of that name has left behind are taken over. They are members of no extension, so that they are
-- dumped, and no DROP EXTENSION takes the wrapper's servers along unasked.
CREATE FUNCTION fdw_guard.make_functions(
    wrapper name, delegate_oid oid, settings text, OUT handler text, OUT validator text
)
    STRICT LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    definition constant text := 'CREATE OR REPLACE FUNCTION %s RETURNS %s STRICT LANGUAGE c %s AS %L, %L';
    has_handler boolean := (SELECT w.fdwhandler <> 0 FROM pg_foreign_data_wrapper w WHERE w.oid = delegate_oid);
    -- What the functions cannot do without.
    extensions name[] := ARRAY(
        SELECT e.extname FROM pg_extension e WHERE e.extname = 'fdw_guard'
        UNION ALL
        SELECT e.extname FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
        WHERE d.classid = 'pg_foreign_data_wrapper'::regclass AND d.objid = delegate_oid
          AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e');
    extension name;
    taken text;
    stem constant text := fdw_guard.function_stem(wrapper);
BEGIN
    handler := format('fdw_guard.%I', stem || '_handler');
    validator := format('fdw_guard.%I', stem || '_validator');
    SELECT w.fdwname INTO taken FROM pg_foreign_data_wrapper w
    WHERE w.fdwname <> wrapper AND (
        w.fdwhandler = to_regprocedure(handler || '()') OR w.fdwvalidator = to_regprocedure(validator || '(text[], oid)'));
    IF FOUND THEN
        RAISE duplicate_function USING
            MESSAGE = format('function %s already serves foreign-data wrapper "%s"', validator, taken),
            HINT = format('Rename its handler likewise, and first: ALTER FUNCTION %s RENAME TO %I.', validator, fdw_guard.function_stem(taken) || '_validator');
    END IF;
    EXECUTE format(definition, validator || '(options text[], catalog oid)', 'void', settings, '$libdir/fdw_guard', 'fdw_guard_validator');
    IF has_handler THEN
        EXECUTE format(definition, handler || '()', 'fdw_handler', settings, '$libdir/fdw_guard', 'fdw_guard_handler');
    END IF;
    FOREACH extension IN ARRAY extensions LOOP
        EXECUTE format('ALTER FUNCTION %s(text[], oid) DEPENDS ON EXTENSION %I', validator, extension);
        IF has_handler THEN
            EXECUTE format('ALTER FUNCTION %s() DEPENDS ON EXTENSION %I', handler, extension);
        END IF;
    END LOOP;
    handler := CASE WHEN has_handler THEN handler END;
END $$;
COMMENT ON FUNCTION fdw_guard.make_functions(name, oid, text) IS 'makes the functions of a guarded wrapper';

CREATE FUNCTION fdw_guard.create_wrapper(name name, delegate name) RETURNS void
    STRICT LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    delegate_oid constant oid := fdw_guard.wrapper_oid(delegate);
    made record;
BEGIN
    IF EXISTS (SELECT FROM fdw_guard.delegate_of(delegate_oid) d WHERE NOT d.in_place) THEN
        RAISE object_not_in_prerequisite_state USING
            MESSAGE = format('foreign-data wrapper "%s" is itself guarded', delegate),
            HINT = 'Name the innermost wrapper as the delegate.';
    END IF;
    IF EXISTS (SELECT FROM pg_foreign_data_wrapper w WHERE w.fdwname = create_wrapper.name) THEN
        RAISE duplicate_object USING MESSAGE = format('foreign-data wrapper "%s" already exists', name);
    END IF;
    made := fdw_guard.make_functions(name, delegate_oid, format('SET fdw_guard.delegate = %L', delegate));
    EXECUTE format('CREATE FOREIGN DATA WRAPPER %I %s VALIDATOR %s', name, 'HANDLER ' || made.handler, made.validator);
END $$;
COMMENT ON FUNCTION fdw_guard.create_wrapper(name, name) IS 'makes a guarded wrapper in front of an existing wrapper';

-- That changing the functions "can change behavior of existing foreign tables" is PostgreSQL's warning; here it does not.
CREATE FUNCTION fdw_guard.guard_wrapper(name name) RETURNS void
    STRICT LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET client_min_messages = error
AS $$
DECLARE
    wrapper record;
    made record;
BEGIN
    SELECT w.oid, w.fdwhandler, w.fdwvalidator,
           (SELECT format('%I.%I', n.nspname, p.proname) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.oid = w.fdwhandler) AS handler,
           (SELECT format('%I.%I', n.nspname, p.proname) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.oid = w.fdwvalidator) AS validator
    INTO wrapper
    FROM pg_foreign_data_wrapper w WHERE w.oid = fdw_guard.wrapper_oid(guard_wrapper.name);
    IF EXISTS (SELECT FROM fdw_guard.delegate_of(wrapper.oid)) THEN
        RAISE object_not_in_prerequisite_state USING
            MESSAGE = format('foreign-data wrapper "%s" is already guarded', name);
    END IF;
    made := fdw_guard.make_functions(name, wrapper.oid, format(
        'SET fdw_guard.delegate = %L SET fdw_guard.delegate_handler = %L SET fdw_guard.delegate_validator = %L',
        name, COALESCE(wrapper.handler, ''), COALESCE(wrapper.validator, '')));
    EXECUTE format('ALTER FOREIGN DATA WRAPPER %I %s VALIDATOR %s', name, 'HANDLER ' || made.handler, made.validator);
    IF wrapper.fdwvalidator <> 0 THEN
        PERFORM fdw_guard.link_delegate((made.validator || '(text[], oid)')::regprocedure, wrapper.fdwvalidator);
    END IF;
    IF wrapper.fdwhandler <> 0 THEN
        PERFORM fdw_guard.link_delegate((made.handler || '()')::regprocedure, wrapper.fdwhandler);
    END IF;
    PERFORM fdw_guard.renew_tables(wrapper.oid);
END $$;
COMMENT ON FUNCTION fdw_guard.guard_wrapper(name) IS 'guards an existing wrapper in place, with all that stands on it';

CREATE FUNCTION fdw_guard.unguard_wrapper(name name) RETURNS void
    STRICT LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET client_min_messages = error
AS $$
DECLARE
    wrapper record;
    ours regprocedure;
BEGIN
    SELECT w.oid, w.fdwhandler, w.fdwvalidator, d.* INTO wrapper
    FROM pg_foreign_data_wrapper w LEFT JOIN fdw_guard.delegate_of(w.oid) d ON true
    WHERE w.oid = fdw_guard.wrapper_oid(unguard_wrapper.name);
    IF wrapper.in_place IS NULL THEN
        RAISE object_not_in_prerequisite_state USING
            MESSAGE = format('foreign-data wrapper "%s" is not guarded', name);
    END IF;
    IF NOT wrapper.in_place THEN
        RAISE object_not_in_prerequisite_state USING
            MESSAGE = format('foreign-data wrapper "%s" was not guarded in place', name),
            DETAIL = format('It was made in front of foreign-data wrapper "%s".', wrapper.delegate),
            HINT = format('Its servers can be made again on "%s".', wrapper.delegate);
    END IF;
    IF wrapper.handler IS NULL AND wrapper.validator IS NULL AND EXISTS (
        SELECT FROM pg_proc p, unnest(p.proconfig) setting
        WHERE p.oid = wrapper.fdwvalidator AND setting ~ '^fdw_guard\.delegate_(handler|validator)=.'
    ) THEN
        RAISE undefined_function USING
            MESSAGE = format('a function that foreign-data wrapper "%s" had before it was guarded does not exist', name),
            HINT = format('Make it again, or name others: ALTER FOREIGN DATA WRAPPER %I HANDLER ... VALIDATOR ...', name);
    END IF;
    EXECUTE format('ALTER FOREIGN DATA WRAPPER %I %s %s', name,
        COALESCE('HANDLER ' || wrapper.handler::regproc, 'NO HANDLER'),
        COALESCE('VALIDATOR ' || wrapper.validator::regproc, 'NO VALIDATOR'));
    FOREACH ours IN ARRAY ARRAY[wrapper.fdwhandler, wrapper.fdwvalidator]::oid[] LOOP
        IF ours <> 0 THEN
            EXECUTE format('DROP FUNCTION %s', ours);
        END IF;
    END LOOP;
    PERFORM fdw_guard.renew_tables(wrapper.oid);
END $$;
COMMENT ON FUNCTION fdw_guard.unguard_wrapper(name) IS 'gives a wrapper that was guarded in place its own functions again';

-- ---------------------------------------------------------------------------------------------------------------------
-- Rights: what shows only what its caller may see anyway is everybody's; rules and packs are the superuser's to grant.
-- ---------------------------------------------------------------------------------------------------------------------

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA fdw_guard FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    fdw_guard.shown_options(text[], regclass, oid, integer, oid),
    fdw_guard.visible_options(regclass, oid, integer),
    fdw_guard.visible_options_object(regclass, oid, integer),
    fdw_guard.server_options(name),
    fdw_guard.user_mapping_options(name, name),
    fdw_guard.foreign_table_options(regclass),
    fdw_guard.foreign_table_options(text),
    fdw_guard.column_options(regclass, name),
    fdw_guard.column_options(text, name),
    fdw_guard.effective_options(regclass, name),
    fdw_guard.effective_options(text, name),
    fdw_guard.table_state(regclass),
    fdw_guard.table_state(text),
    fdw_guard.plan(text, interval),
    fdw_guard.explain_plan(text, interval),
    fdw_guard.get_ddl(text, text),
    fdw_guard.get_ddl(regclass),
    fdw_guard.get_ddl(text),
    fdw_guard.set_server_options(name, jsonb),
    fdw_guard.set_user_mapping_options(name, name, jsonb, boolean),
    fdw_guard.set_foreign_table_options(regclass, jsonb),
    fdw_guard.set_foreign_table_options(text, jsonb),
    fdw_guard.set_column_options(regclass, name, jsonb),
    fdw_guard.set_column_options(text, name, jsonb),
    fdw_guard.rotate_secret(text, text, text, text),
    fdw_guard.violations(json, text, text, name),
    fdw_guard.policy_schema(),
    fdw_guard.status(),
    fdw_guard.delegate_of(oid),
    fdw_guard.wrapper_oid(name),
    fdw_guard.may_see_history(text, bigint, oid),
    fdw_guard.history_value(text, bigint, oid, smallint, text, text),
    fdw_guard.history_statement(text),
    fdw_guard.undo(text, text, bigint, oid, smallint, text, text, text, text, boolean, boolean),
    fdw_guard.lock_recorded(text, text, bigint, oid, smallint),
    fdw_guard.revert_plan(uuid),
    fdw_guard.revert(uuid),
    fdw_guard.object_now(text, text),
    fdw_guard.timeline(text, text)
    TO PUBLIC;
GRANT SELECT ON
    fdw_guard.servers, fdw_guard.user_mappings, fdw_guard.foreign_tables, fdw_guard.foreign_columns,
    fdw_guard.options, fdw_guard.guarded_wrappers
    TO PUBLIC;
GRANT EXECUTE ON FUNCTION fdw_guard.policy(), fdw_guard.policy_check(), fdw_guard.pack_list() TO pg_monitor;
GRANT SELECT ON fdw_guard.rule, fdw_guard.packs, fdw_guard.history TO pg_monitor;
