-- What statements over many relations meet: ten thousand plain tables in a schema, and a parent with a thousand partitions
-- on a foreign server.
CREATE SCHEMA plain;
CREATE TABLE parent (id integer, street text, town text) PARTITION BY LIST (id);
DO $$ BEGIN
    FOR number IN 1..10000 LOOP
        EXECUTE format('CREATE TABLE plain.table_%s (id integer)', number);
    END LOOP;
    FOR number IN 1..1000 LOOP
        EXECUTE format('CREATE FOREIGN TABLE part_%s PARTITION OF parent FOR VALUES IN (%s) SERVER bench '
                       'OPTIONS (schema_name %L, table_name %L, updatable %L)',
                       number, number, 'app', 'orders_' || number, 'false');
    END LOOP;
END $$;
ANALYZE pg_class, pg_attribute, pg_type, pg_depend, pg_inherits, pg_foreign_table;
