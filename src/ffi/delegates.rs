//! What the catalogs say of guarded wrappers and their delegates.

use crate::ffi::tuple::{self, CachedTuple};
use crate::ffi::{scan, text, version};
use pgrx::pg_sys::{self, Datum, Oid, SysCacheIdentifier as Cache};
use std::ffi::CStr;

/// The settings of a guarded wrapper's functions, read from the functions' own rows, so that nothing a session sets
/// counts: the delegate's name, and for a wrapper that was guarded in place the functions that it had before, empty for
/// none.
pub const WRAPPER: &CStr = c"fdw_guard.delegate";
pub const HANDLER: &CStr = c"fdw_guard.delegate_handler";
pub const VALIDATOR: &CStr = c"fdw_guard.delegate_validator";

/// Language `c`, as pg_language.dat numbers it.
const C_LANGUAGE: Oid = Oid::from_u32(13);

/// The handler and the validator of a wrapper; an invalid oid for one that it does not have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Functions {
    pub handler: Oid,
    pub validator: Oid,
}

impl Functions {
    const NONE: Self = Self { handler: Oid::INVALID, validator: Oid::INVALID };

    /// One of them that is ours: then the wrapper itself stands in front of another.
    pub fn of_ours(self) -> Option<Oid> {
        [self.validator, self.handler].into_iter().find(|function| is_ours(*function))
    }

    pub fn get(self, kind: Kind) -> Oid {
        match kind {
            Kind::Handler => self.handler,
            Kind::Validator => self.validator,
        }
    }
}

/// Which of a wrapper's two functions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Handler,
    Validator,
}

impl Kind {
    fn arguments(self) -> &'static [Oid] {
        match self {
            Self::Handler => &[],
            Self::Validator => &[pg_sys::TEXTARRAYOID, pg_sys::OIDOID],
        }
    }
}

/// What a function of ours says of its delegate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Named {
    /// The delegate; where the wrapper was guarded in place, the name that it had then.
    pub wrapper: String,
    /// Where it was guarded in place, the functions that it had before.
    pub former: Option<Former>,
}

/// Names of the functions that a wrapper had before it was guarded in place, with their schemas; empty for none.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Former {
    handler: String,
    validator: String,
}

impl Former {
    pub fn name(&self, kind: Kind) -> &str {
        match kind {
            Kind::Handler => &self.handler,
            Kind::Validator => &self.validator,
        }
    }

    /// The function itself, invalid if the wrapper had none: the one that ours was linked to, which follows a renaming, or
    /// after a restore, which keeps no link, the one of that name. None if there is no such function any more.
    pub fn function(&self, kind: Kind, ours: Oid) -> Option<Oid> {
        let name = self.name(kind);
        if name.is_empty() {
            return Some(Oid::INVALID);
        }
        scan::function_under(ours).or_else(|| function_of_name(name, kind.arguments()))
    }
}

/// The delegate of a guarded wrapper, as far as it is there.
pub struct Delegate {
    pub name: String,
    pub is_in_place: bool,
    pub functions: Functions,
}

/// The delegate of a wrapper that has those functions; None if they are not ours.
pub fn behind(functions: Functions) -> Option<Delegate> {
    let named = named_by(functions.of_ours()?)?;
    let theirs = match &named.former {
        Some(former) => former_functions(former, functions),
        None => wrapper_of_name(&named.wrapper).and_then(|delegate| at_work(delegate.functions)),
    };
    Some(Delegate {
        name: named.wrapper,
        is_in_place: named.former.is_some(),
        functions: theirs.unwrap_or(Functions::NONE),
    })
}

/// The functions that do the work of a wrapper that has these: they themselves, or what they were before the wrapper was
/// guarded in place. None if it is a guarded wrapper in front of another, or has lost what it had.
pub fn at_work(functions: Functions) -> Option<Functions> {
    let Some(ours) = functions.of_ours() else { return Some(functions) };
    former_functions(&named_by(ours)?.former?, functions)
}

fn former_functions(former: &Former, ours: Functions) -> Option<Functions> {
    Some(Functions {
        handler: former.function(Kind::Handler, ours.handler)?,
        validator: former.function(Kind::Validator, ours.validator)?,
    })
}

/// The symbols of our handler and our validator in the library.
const SYMBOLS: [&str; 2] = ["fdw_guard_handler", "fdw_guard_validator"];

/// A row of pg_foreign_data_wrapper.
pub struct Wrapper {
    pub name: String,
    pub functions: Functions,
}

impl Wrapper {
    /// # Safety
    /// `form` is a row of pg_foreign_data_wrapper.
    unsafe fn of(form: &pg_sys::FormData_pg_foreign_data_wrapper) -> Self {
        Self {
            name: tuple::name(&form.fdwname),
            functions: Functions { handler: form.fdwhandler, validator: form.fdwvalidator },
        }
    }
}

/// The wrapper of that name.
pub fn wrapper_of_name(name: &str) -> Option<Wrapper> {
    find_wrapper(Cache::FOREIGNDATAWRAPPERNAME, Datum::from(text::to_server_name(name).cast_mut()))
}

/// The wrapper with that oid.
pub fn wrapper(oid: Oid) -> Option<Wrapper> {
    find_wrapper(Cache::FOREIGNDATAWRAPPEROID, oid.into())
}

/// The wrapper of a server.
pub fn wrapper_of_server(server: Oid) -> Option<Wrapper> {
    let found = CachedTuple::find(Cache::FOREIGNSERVEROID, &[server.into()])?;
    // SAFETY: the cache is that of pg_foreign_server.
    wrapper(unsafe { found.form::<pg_sys::FormData_pg_foreign_server>() }.srvfdw)
}

fn find_wrapper(cache: Cache::Type, key: Datum) -> Option<Wrapper> {
    let found = CachedTuple::find(cache, &[key])?;
    // SAFETY: both caches are those of pg_foreign_data_wrapper.
    Some(unsafe { Wrapper::of(found.form()) })
}

/// Every wrapper of the database.
pub fn wrappers() -> Vec<Wrapper> {
    scan::wrappers().into_iter().filter_map(wrapper).collect()
}

/// Every function of ours in the database that a wrapper could have as its validator.
pub fn validators() -> Vec<Oid> {
    let mut functions = Vec::new();
    scan::CatalogScan::of_catalog(pg_sys::ProcedureRelationId).for_each(|tuple| {
        // SAFETY: a tuple of pg_proc.
        let form = unsafe { &*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_proc>() };
        if form.prolang == C_LANGUAGE && form.prorettype == pg_sys::VOIDOID {
            functions.push(form.oid);
        }
    });
    functions.retain(|function| is_ours(*function));
    functions
}

/// What the settings of a function of ours say of its delegate.
pub fn named_by(function: Oid) -> Option<Named> {
    let found = CachedTuple::find(Cache::PROCOID, &[function.into()])?;
    // SAFETY: proconfig is of type text[].
    let settings = unsafe { tuple::text_array(found.attribute(pg_sys::Anum_pg_proc_proconfig)?) };
    let value_of = |wanted: &CStr| {
        settings.iter().flatten().find_map(|setting| {
            let (name, value) = setting.split_once('=')?;
            (name.as_bytes() == wanted.to_bytes()).then(|| value.to_owned())
        })
    };
    let former = || Some(Former { handler: value_of(HANDLER)?, validator: value_of(VALIDATOR)? });
    Some(Named { wrapper: value_of(WRAPPER).filter(|name| !name.is_empty())?, former: former() })
}

/// Without regard to the caller's rights on the schema, which nobody needs to use a wrapper.
fn function_of_name(name: &str, arguments: &[Oid]) -> Option<Oid> {
    let (schema, name) = version::qualified_name(text::to_server_name(name))?;
    // SAFETY: schema and name are C strings, and buildoidvector copies that many oids.
    let key = unsafe {
        let schema = pg_sys::get_namespace_oid(schema, true);
        let count = i32::try_from(arguments.len()).unwrap_or_default();
        let arguments = pg_sys::buildoidvector(arguments.as_ptr(), count);
        [Datum::from(name.cast_mut()), Datum::from(arguments), Datum::from(schema)]
    };
    let found = CachedTuple::find(Cache::PROCNAMEARGSNSP, &key)?;
    // SAFETY: the cache is that of pg_proc.
    Some(unsafe { found.form::<pg_sys::FormData_pg_proc>() }.oid)
}

/// Makes a function of ours depend on the one that it calls, which then cannot be dropped alone and is dumped first.
pub fn link(ours: Oid, theirs: Oid) {
    let address =
        |function| pg_sys::ObjectAddress { classId: pg_sys::ProcedureRelationId, objectId: function, objectSubId: 0 };
    // SAFETY: both are functions; inside a transaction.
    unsafe {
        let (ours, theirs) = (address(ours), address(theirs));
        pg_sys::recordDependencyOn(&raw const ours, &raw const theirs, pg_sys::DependencyType::DEPENDENCY_NORMAL);
    }
}

/// Makes every session ask the wrapper's handler anew, for each of its tables.
pub fn renew_tables(wrapper: Oid) {
    let servers = scan::servers_of(wrapper).into_iter().collect();
    for (table, _) in scan::foreign_tables_of(&servers) {
        if let Some(found) = CachedTuple::find(Cache::RELOID, &[table.into()]) {
            found.invalidate_relation();
        }
    }
}

/// Whether the function is one of our two, under whatever name.
pub fn is_ours(function: Oid) -> bool {
    let Some(found) = CachedTuple::find(Cache::PROCOID, &[function.into()]) else { return false };
    // SAFETY: prosrc is of type text.
    let symbol = found.attribute(pg_sys::Anum_pg_proc_prosrc).map(|datum| unsafe { tuple::text_of(datum) });
    // SAFETY: the cache is that of pg_proc.
    let language = unsafe { found.form::<pg_sys::FormData_pg_proc>() }.prolang;
    language == C_LANGUAGE && symbol.is_some_and(|symbol| SYMBOLS.contains(&symbol.as_str()))
}
