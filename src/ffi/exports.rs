//! The functions that PostgreSQL finds by name: what `sql/` declares, a row each.

use crate::ffi::function::sql_function;
use crate::ffi::rules;
use crate::functions::{options, packs, policy, status};

sql_function!(call_trigger, fdw_guard_check_rule, pg_finfo_fdw_guard_check_rule, rules::check_rule);
sql_function!(call, fdw_guard_policy, pg_finfo_fdw_guard_policy, policy::policy);
sql_function!(call, fdw_guard_policy_schema, pg_finfo_fdw_guard_policy_schema, policy::policy_schema);
sql_function!(call, fdw_guard_pack_list, pg_finfo_fdw_guard_pack_list, packs::pack_list);
sql_function!(call, fdw_guard_pack_rules, pg_finfo_fdw_guard_pack_rules, packs::pack_rules);
sql_function!(call, fdw_guard_visible_options, pg_finfo_fdw_guard_visible_options, options::visible_options);
sql_function!(call, fdw_guard_status, pg_finfo_fdw_guard_status, status::status);
