-- Rules on other servers, to make a thousand: no measure alters anything that they are about.
INSERT INTO fdw_guard.rule (name, object_type, server, options)
    SELECT object_type || ' ' || number, object_type, ARRAY['other_' || number],
           '{"properties": {"application_name": {"maxLength": 20}}}'
    FROM generate_series(1, 980) number, unnest(ARRAY['user mapping', 'foreign table']) object_type;
