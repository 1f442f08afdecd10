//! The functions that PostgreSQL finds by name: what `sql/` declares, a row each.

use crate::ffi::function::sql_functions;
use crate::functions::{
    delegates, effective, get_ddl, history, options, packs, plan, policy, policy_check, revert, rules, secrets,
    set_options, shared_secrets, state, status, violations,
};
use crate::wrapper::entry;

sql_functions! {
    call_trigger: fdw_guard_check_rule, pg_finfo_fdw_guard_check_rule => rules::check_rule;
    call: fdw_guard_policy, pg_finfo_fdw_guard_policy => policy::policy;
    call: fdw_guard_policy_check, pg_finfo_fdw_guard_policy_check => policy_check::policy_check;
    call: fdw_guard_policy_schema, pg_finfo_fdw_guard_policy_schema => policy::policy_schema;
    call: fdw_guard_pack_list, pg_finfo_fdw_guard_pack_list => packs::pack_list;
    call: fdw_guard_pack_rules, pg_finfo_fdw_guard_pack_rules => packs::pack_rules;
    call: fdw_guard_visible_options, pg_finfo_fdw_guard_visible_options => options::visible_options;
    call_options: fdw_guard_shown_options, pg_finfo_fdw_guard_shown_options => options::mask_of;
    call: fdw_guard_server_options, pg_finfo_fdw_guard_server_options => options::server_options;
    call: fdw_guard_user_mapping_options, pg_finfo_fdw_guard_user_mapping_options => options::user_mapping_options;
    call: fdw_guard_foreign_table_options, pg_finfo_fdw_guard_foreign_table_options => options::foreign_table_options;
    call: fdw_guard_column_options, pg_finfo_fdw_guard_column_options => options::column_options;
    call: fdw_guard_effective_options, pg_finfo_fdw_guard_effective_options => effective::effective_options;
    call_trigger: fdw_guard_keep_history, pg_finfo_fdw_guard_keep_history => history::keep_history;
    call: fdw_guard_may_see_history, pg_finfo_fdw_guard_may_see_history => history::may_see_history;
    call: fdw_guard_history_value, pg_finfo_fdw_guard_history_value => history::history_value;
    call: fdw_guard_history_statement, pg_finfo_fdw_guard_history_statement => history::history_statement;
    call: fdw_guard_undo, pg_finfo_fdw_guard_undo => revert::undo;
    call: fdw_guard_lock_recorded, pg_finfo_fdw_guard_lock_recorded => revert::lock_recorded;
    call: fdw_guard_object_now, pg_finfo_fdw_guard_object_now => revert::object_now;
    call: fdw_guard_shared_secrets, pg_finfo_fdw_guard_shared_secrets => shared_secrets::shared_secrets;
    call: fdw_guard_prune_history, pg_finfo_fdw_guard_prune_history => history::prune_history;
    call_trigger: fdw_guard_keep_secrets, pg_finfo_fdw_guard_keep_secrets => secrets::keep_secrets;
    call: fdw_guard_prune_secrets, pg_finfo_fdw_guard_prune_secrets => secrets::prune_secrets;
    call: fdw_guard_table_state, pg_finfo_fdw_guard_table_state => state::table_state;
    call: fdw_guard_plan, pg_finfo_fdw_guard_plan => plan::plan;
    call: fdw_guard_explain_plan, pg_finfo_fdw_guard_explain_plan => plan::explain_plan;
    call: fdw_guard_get_ddl, pg_finfo_fdw_guard_get_ddl => get_ddl::get_ddl;
    call: fdw_guard_get_ddl_of_relation, pg_finfo_fdw_guard_get_ddl_of_relation => get_ddl::get_ddl_of_relation;
    call: fdw_guard_set_server_options, pg_finfo_fdw_guard_set_server_options => set_options::set_server_options;
    call: fdw_guard_set_user_mapping_options, pg_finfo_fdw_guard_set_user_mapping_options => set_options::set_user_mapping_options;
    call: fdw_guard_set_foreign_table_options, pg_finfo_fdw_guard_set_foreign_table_options => set_options::set_foreign_table_options;
    call: fdw_guard_set_column_options, pg_finfo_fdw_guard_set_column_options => set_options::set_column_options;
    call: fdw_guard_rotate_secret, pg_finfo_fdw_guard_rotate_secret => set_options::rotate_secret;
    call: fdw_guard_status, pg_finfo_fdw_guard_status => status::status;
    call: fdw_guard_violations, pg_finfo_fdw_guard_violations => violations::violations;
    call: fdw_guard_delegate_of, pg_finfo_fdw_guard_delegate_of => delegates::delegate_of;
    call: fdw_guard_wrapper_oid, pg_finfo_fdw_guard_wrapper_oid => delegates::wrapper_oid;
    call: fdw_guard_link_delegate, pg_finfo_fdw_guard_link_delegate => delegates::link_delegate;
    call: fdw_guard_renew_tables, pg_finfo_fdw_guard_renew_tables => delegates::renew_tables;
    pass: fdw_guard_handler, pg_finfo_fdw_guard_handler => entry::handler;
    pass: fdw_guard_validator, pg_finfo_fdw_guard_validator => entry::validator;
}
