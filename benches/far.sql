-- What is reached through a wrapper: a million rows in a table and in a file, and a table to insert into.
CREATE TABLE rows AS SELECT id, 'note ' || id AS note FROM generate_series(1, 1000000) id;
CREATE UNLOGGED TABLE inserted (id integer, note text);
ANALYZE rows;
COPY rows TO '{file}' (FORMAT csv);
