-- The same million rows through postgres_fdw and through file_fdw.
ALTER SERVER far OPTIONS (ADD host '{host}', ADD port '{port}', ADD dbname 'far', ADD fetch_size '10000', ADD batch_size '1000');
CREATE USER MAPPING FOR CURRENT_USER SERVER far OPTIONS (user 'postgres');
CREATE FOREIGN TABLE far_rows (id integer, note text) SERVER far OPTIONS (table_name 'rows');
CREATE FOREIGN TABLE far_inserted (id integer, note text) SERVER far OPTIONS (table_name 'inserted');
CREATE FOREIGN TABLE file_rows (id integer, note text) SERVER files OPTIONS (filename '{file}', format 'csv');
