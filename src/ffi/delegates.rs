//! What the catalogs say of guarded wrappers and their delegates.

use crate::ffi::text;
use crate::ffi::tuple::{self, CachedTuple};
use pgrx::pg_sys::{self, Oid, SysCacheIdentifier as Cache};

/// The setting of a guarded wrapper's functions that names the delegate. It is read from the function's own row, so that
/// nothing a session sets counts.
pub const SETTING: &str = "fdw_guard.delegate";

/// The symbols of our handler and our validator in the library.
const SYMBOLS: [&str; 2] = ["fdw_guard_handler", "fdw_guard_validator"];

/// Language `c`, as pg_language.dat numbers it.
const C_LANGUAGE: Oid = Oid::from_u32(13);

/// The handler and the validator of a wrapper; an invalid oid for one that it does not have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Functions {
    pub handler: Oid,
    pub validator: Oid,
}

impl Functions {
    /// Whether one of them is ours, so that the wrapper itself stands in front of another.
    pub fn are_ours(self) -> bool {
        [self.handler, self.validator].into_iter().any(is_ours)
    }

    /// The delegate that they name, if they are ours.
    pub fn delegate(self) -> Option<String> {
        let ours = [self.validator, self.handler].into_iter().find(|function| is_ours(*function))?;
        named_by(ours)
    }
}

/// The functions of the wrapper of that name.
pub fn functions_of(wrapper: &str) -> Option<Functions> {
    let name = pg_sys::Datum::from(text::to_server_name(wrapper).cast_mut());
    let found = CachedTuple::find(Cache::FOREIGNDATAWRAPPERNAME, &[name])?;
    // SAFETY: the cache is that of pg_foreign_data_wrapper.
    let form = unsafe { found.form::<pg_sys::FormData_pg_foreign_data_wrapper>() };
    Some(Functions { handler: form.fdwhandler, validator: form.fdwvalidator })
}

/// The delegate that a function's own settings name.
pub fn named_by(function: Oid) -> Option<String> {
    let found = CachedTuple::find(Cache::PROCOID, &[function.into()])?;
    // SAFETY: proconfig is of type text[].
    let settings = unsafe { tuple::text_array(found.attribute(pg_sys::Anum_pg_proc_proconfig)?) };
    settings.into_iter().flatten().find_map(|setting| {
        let (name, value) = setting.split_once('=')?;
        (name == SETTING && !value.is_empty()).then(|| value.to_owned())
    })
}

/// Whether the function is one of our two, under whatever name.
fn is_ours(function: Oid) -> bool {
    let Some(found) = CachedTuple::find(Cache::PROCOID, &[function.into()]) else { return false };
    // SAFETY: prosrc is of type text.
    let symbol = found.attribute(pg_sys::Anum_pg_proc_prosrc).map(|datum| unsafe { tuple::text_of(datum) });
    // SAFETY: the cache is that of pg_proc.
    let language = unsafe { found.form::<pg_sys::FormData_pg_proc>() }.prolang;
    language == C_LANGUAGE && symbol.is_some_and(|symbol| SYMBOLS.contains(&symbol.as_str()))
}
