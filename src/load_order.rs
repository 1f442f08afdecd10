//! Which libraries see a statement before its secrets are hidden: those that were loaded after this one, whose hooks come
//! first.

use crate::ffi::raise::Report;
use crate::ffi::server;
use crate::report;
use crate::settings;

const US: &str = "fdw_guard";

/// What these see goes to the server log and nowhere else, where it passes this library.
const ONLY_LOG: [&str; 1] = ["auto_explain"];

/// Where this library stands among others.
pub struct LoadOrder {
    /// Those that come after it, in the order in which they are loaded.
    pub after: Vec<String>,
    /// What to set `shared_preload_libraries` to, so that none of its libraries does.
    pub mended: String,
}

impl LoadOrder {
    /// As the settings have it now. What a session loads by itself always comes after what the server has loaded.
    pub fn now() -> Self {
        let (shared, of_sessions) = (names(&server::shared_libraries()), names(&server::session_libraries()));
        let sees = |name: &&&String| file(name) != US && !ONLY_LOG.contains(&file(name));
        let all = || shared.iter().chain(&of_sessions);
        let after: Vec<String> =
            all().skip_while(|name| file(name) != US).filter(|name| sees(&name)).cloned().collect();
        let before = shared.iter().filter(|name| file(name) != US && !after.contains(name));
        let mended = before.chain(&after).map(String::as_str).chain([US]).collect::<Vec<_>>().join(", ");
        Self { after, mended }
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        format!("Set shared_preload_libraries = '{}' and restart the server.", self.mended)
    }
}

/// What the server is to say when it starts, if another library would see secrets.
pub fn warning() -> Option<Report> {
    let order = LoadOrder::now();
    (settings::redact() && !order.after.is_empty()).then(|| report::loaded_too_early(&order))
}

fn names(list: &str) -> Vec<String> {
    let names = list.split(',').map(|name| name.trim().trim_matches('"'));
    names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

fn file(name: &str) -> &str {
    let file = name.rsplit('/').next().unwrap_or(name);
    file.strip_suffix(".so").unwrap_or(file)
}
