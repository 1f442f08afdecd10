-- What rules cost, without the history.
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET fdw_guard.record_history = off', current_database()); END $$;
