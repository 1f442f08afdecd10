-- One object of each type, roles, and a schema to import.
CREATE EXTENSION IF NOT EXISTS postgres_fdw;
DO $$
BEGIN
    IF to_regrole('forms_super') IS NULL THEN
        CREATE ROLE forms_super SUPERUSER;
        CREATE ROLE forms_owner;
        CREATE ROLE forms_heir;
        CREATE ROLE forms_mapped;
        CREATE ROLE forms_stranger;
    END IF;
    EXECUTE format('CREATE SERVER loopback FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host %L, port %L, dbname %L)',
        split_part(current_setting('unix_socket_directories'), ',', 1), current_setting('port'), current_database());
END $$;
CREATE USER MAPPING FOR CURRENT_USER SERVER loopback OPTIONS (user 'postgres');
CREATE SCHEMA far_away;
CREATE TABLE far_away.far (a integer DEFAULT 1, c text COLLATE "C" NOT NULL);
CREATE SCHEMA elsewhere;
CREATE FUNCTION fires() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE FOREIGN DATA WRAPPER w OPTIONS (a '1');
CREATE SERVER s TYPE 'kind' VERSION '1' FOREIGN DATA WRAPPER w OPTIONS (a '1');
CREATE USER MAPPING FOR forms_mapped SERVER s OPTIONS (a '1');
CREATE FOREIGN TABLE t (a integer, c text) SERVER s OPTIONS (a '1');
