-- What the measures alter and read. Every database of the bench has it.
CREATE EXTENSION postgres_fdw;
CREATE SERVER bench FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'db.example.com', port '5432', dbname 'app');
CREATE USER MAPPING FOR CURRENT_USER SERVER bench
    OPTIONS (user 'reader_0', password 'autumn leaves fall', sslcert '/etc/ssl/app.crt', sslkey '/etc/ssl/app.key');
CREATE FOREIGN TABLE bench_table (id integer, street text, town text, changed timestamptz)
    SERVER bench OPTIONS (schema_name 'app', table_name 'orders_0', fetch_size '1000', updatable 'false');
CREATE TABLE bench_accounts (aid integer PRIMARY KEY, abalance integer);
INSERT INTO bench_accounts SELECT aid, 0 FROM generate_series(1, 100000) aid;
ANALYZE bench_accounts;
