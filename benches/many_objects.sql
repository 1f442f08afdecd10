-- Many mappings and tables on a hundred servers, as many of each.
DO $$ BEGIN
    FOR server IN 1..100 LOOP
        EXECUTE format('CREATE SERVER many_%s FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host %L, dbname %L)',
                       server, 'db' || server || '.example.com', 'app');
    END LOOP;
    FOR role IN 1..1000 LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'many_' || role) THEN
            EXECUTE format('CREATE ROLE many_%s', role);
        END IF;
    END LOOP;
END $$;
CREATE PROCEDURE make_many(first integer, last integer) LANGUAGE plpgsql AS $$ BEGIN
    FOR number IN first..last LOOP
        EXECUTE format('CREATE USER MAPPING FOR many_%s SERVER many_%s OPTIONS (user %L, password %L)',
                       number % 1000 + 1, number / 1000 + 1, 'reader_' || number, 'autumn leaves fall');
        EXECUTE format('CREATE FOREIGN TABLE many_%s (id integer OPTIONS (column_name %L), street text, town text) SERVER many_%s '
                       'OPTIONS (schema_name %L, table_name %L, updatable %L)',
                       number, 'nr', number / 1000 + 1, 'app', 'orders_' || number, 'false');
        IF number % 500 = 0 THEN
            COMMIT;
        END IF;
    END LOOP;
END $$;
