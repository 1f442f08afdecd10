-- The forty rules of benches/rules.sql on every server, and sixty more, one of which a tenth of the tables violates.
UPDATE fdw_guard.rule SET server = '{*}';
INSERT INTO fdw_guard.rule (name, object_type, options)
    SELECT object_type || ' ' || number, object_type,
           json_build_object('properties', json_build_object('option_' || number, json_build_object('maxLength', 20)))
    FROM generate_series(1, 29) number, unnest(ARRAY['user mapping', 'foreign table']) object_type;
INSERT INTO fdw_guard.rule (name, object_type, server, options) VALUES
    ('mapping use_scram_passthrough', 'user mapping', '{many_*}', '{"properties": {"use_scram_passthrough": false}}'),
    ('table not named so', 'foreign table', '{many_*}', '{"properties": {"table_name": {"not": {"pattern": "7$"}}}}');
