//! `shared_secrets`: which user mappings hold the same secret.

use crate::error::Error;
use crate::ffi::function::{Answer, Call, Value};
use crate::ffi::memory::Scratch;
use crate::ffi::{rights, scan, server, session};
use crate::policy_in_force;
use crate::scene::{self, Class};
use fdw_guard_policy::model::{ObjectState, ObjectType};
use fdw_guard_policy::policy::Policy;
use fdw_guard_policy::secret::Secrecy;
use fdw_guard_policy::shared::shared;
use pgrx::pg_sys::Oid;
use std::rc::Rc;

/// A role and a server.
type Holder = (String, String);

/// Computed from the catalog when asked; nothing of it is kept, and no value is shown.
pub fn shared_secrets(_call: &Call) -> Result<Answer<'_>, Error> {
    if !rights::is_superuser(session::current_role()) {
        return Err(Error::SecretsAreCompared);
    }
    let policy = policy_in_force::policy()?;
    let servers = scan::servers().into_iter().collect();
    let mut mappings: Vec<Oid> = scan::user_mappings_of(&servers).into_iter().map(|(mapping, _)| mapping).collect();
    mappings.sort_by_key(|mapping| mapping.to_u32());
    let groups = shared(mappings.into_iter().filter_map(|mapping| held(&policy, mapping)));
    let rows = (1..).zip(groups).flat_map(|(number, places)| {
        places.into_iter().map(move |place| {
            let (role, server) = place.holder;
            vec![Value::Integer(number), role.into(), server.into(), place.option.into()]
        })
    });
    Ok(Answer::rows(rows))
}

fn held(policy: &Policy, mapping: Oid) -> Option<(Holder, Rc<ObjectState>, Secrecy)> {
    server::check_for_interrupts();
    let _scratch = Scratch::new();
    let situation = scene::scene_from_outside(Class::UserMapping, mapping)?.situation;
    let server = situation.part(ObjectType::Server)?.name().to_owned();
    let holder = (situation.object.name().to_owned(), server);
    let secrecy = policy.secrecy(&situation);
    Some((holder, situation.object, secrecy))
}
