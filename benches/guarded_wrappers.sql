-- The servers of benches/far_and_files.sql, each on a guarded wrapper whose delegate is the one of benches/delegates.sql.
CREATE EXTENSION postgres_fdw;
CREATE EXTENSION file_fdw;
CREATE EXTENSION fdw_guard;
SELECT fdw_guard.create_wrapper('guarded_file_fdw', 'file_fdw');
CREATE SERVER far FOREIGN DATA WRAPPER guarded_postgres_fdw;
CREATE SERVER files FOREIGN DATA WRAPPER guarded_file_fdw;
