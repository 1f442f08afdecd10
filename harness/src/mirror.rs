//! A private copy of an installation, into which the extension is put without touching the system's.
//!
//! PostgreSQL finds its share and library directories by their position relative to its own program file, with links
//! resolved (`make_relative_path` and `find_my_exec` in its source): so the programs are copied, and everything else
//! may be links.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::command;
use crate::installation::Installation;
use crate::place;

/// What is never taken over from the system's installation.
const OURS: &str = "fdw_guard";

/// The file of a copy that says what it is of.
const STAMP: &str = "original";

/// A private copy of an installation.
#[derive(Debug, Clone)]
pub struct Mirror {
    /// The copy's own directories.
    pub installation: Installation,
    /// What `LD_LIBRARY_PATH` must hold for libraries that were found relative to the original.
    pub library_path: Vec<PathBuf>,
    /// The directory that holds the whole copy.
    pub root: PathBuf,
}

impl Mirror {
    /// Copies `original` to `root`, or takes the copy that is there if it is of the same programs.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn of(original: &Installation, root: &Path) -> Result<Self> {
        let stamp = stamp(original)?;
        if fs::read_to_string(root.join(STAMP)).ok().as_deref() != Some(stamp.as_str()) {
            copy(original, root, &stamp)?;
        }
        let installation = relocated(original, root);
        let library_path = library_path(original, &installation)?;
        Ok(Self { installation, library_path, root: root.to_owned() })
    }
}

/// The installation that `root` is a copy of; None if nothing is there.
///
/// # Errors
/// When it has gone.
pub fn original_of(root: &Path) -> Result<Option<Installation>> {
    let Ok(stamp) = fs::read_to_string(root.join(STAMP)) else { return Ok(None) };
    let server = stamp.lines().nth(1).context("the copy does not say what it is of")?;
    Installation::ask(&Path::new(server).with_file_name("pg_config")).map(Some)
}

/// Made aside and put in place by a rename, so that a copy is never found half done.
fn copy(original: &Installation, root: &Path, stamp: &str) -> Result<()> {
    let aside = root.with_extension("new");
    place::remove(&aside)?;
    let copy = relocated(original, &aside);
    copy_files(&original.bindir, &copy.bindir)?;
    link_entries(&original.pkglibdir, &copy.pkglibdir)?;
    link_entries(&original.sharedir, &copy.sharedir)?;
    link_entries(&original.extension_dir(), &copy.extension_dir())?;
    fs::write(aside.join(STAMP), stamp)?;
    place::remove(root)?;
    fs::rename(&aside, root).with_context(|| format!("cannot make {}", root.display()))
}

/// Changes when the original is upgraded or another one is named.
fn stamp(original: &Installation) -> Result<String> {
    let server = original.bindir.join("postgres");
    let found = fs::metadata(&server).with_context(|| format!("cannot read {}", server.display()))?;
    Ok(format!("{}\n{}\n{} {}\n", original.version, server.display(), found.len(), found.mtime()))
}

fn relocated(original: &Installation, root: &Path) -> Installation {
    let common = common_ancestor([&original.bindir, &original.pkglibdir, &original.sharedir]);
    let moved = |path: &Path| root.join(path.strip_prefix(&common).unwrap_or(path));
    Installation {
        bindir: moved(&original.bindir),
        pkglibdir: moved(&original.pkglibdir),
        sharedir: moved(&original.sharedir),
        ..original.clone()
    }
}

/// The deepest directory that holds all three and is none of them.
fn common_ancestor(paths: [&PathBuf; 3]) -> PathBuf {
    let [first, rest @ ..] = paths;
    let holds_all =
        |ancestor: &&Path| rest.iter().all(|path| path.starts_with(ancestor) && path.as_path() != *ancestor);
    first.ancestors().skip(1).find(holds_all).unwrap_or(Path::new("/")).to_owned()
}

fn copy_files(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let path = entry?.path();
        if let (true, Some(name)) = (path.is_file(), path.file_name()) {
            fs::copy(&path, to.join(name)).with_context(|| format!("cannot copy {}", path.display()))?;
        }
    }
    Ok(())
}

/// A real directory `to`, with a link for each entry of `from` that `to` has not got.
fn link_entries(from: &Path, to: &Path) -> Result<()> {
    if to.is_symlink() {
        fs::remove_file(to)?;
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let link = to.join(entry.file_name());
        if !entry.file_name().to_string_lossy().starts_with(OURS) && !link.exists() {
            symlink(fs::canonicalize(entry.path())?, &link)?;
        }
    }
    Ok(())
}

/// Directories in which the original finds libraries and the copy does not: those named relative to the program.
fn library_path(original: &Installation, copy: &Installation) -> Result<Vec<PathBuf>> {
    let own = |installation: &Installation| -> Result<BTreeSet<PathBuf>> {
        let mut directories = BTreeSet::new();
        for file in linked_files(installation) {
            directories.extend(private_directories(&command::run(Command::new("ldd").arg(&file))?));
        }
        Ok(directories)
    };
    Ok(own(original)?.difference(&own(copy)?).cloned().collect())
}

fn linked_files(installation: &Installation) -> Vec<PathBuf> {
    let programs = ["postgres", "initdb", "psql"].map(|name| installation.bindir.join(name));
    let libraries = ["postgres_fdw.so", "libpqwalreceiver.so"].map(|name| installation.pkglibdir.join(name));
    programs.into_iter().chain(libraries).filter(|path| path.exists()).collect()
}

/// The directories outside the system's own in which ldd found libraries.
fn private_directories(ldd: &str) -> BTreeSet<PathBuf> {
    let found = ldd.lines().filter_map(|line| line.split_once("=> ")?.1.split_whitespace().next());
    found
        .filter(|path| path.starts_with('/') && !["/lib", "/usr/lib"].iter().any(|system| path.starts_with(system)))
        .filter_map(|path| fs::canonicalize(Path::new(path).parent()?).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_kept_relative_to_the_common_directory() {
        let [bin, lib, share] = ["/usr/lib/pg/15/bin", "/usr/lib/pg/15/lib", "/usr/share/pg/15"].map(PathBuf::from);
        assert_eq!(common_ancestor([&bin, &lib, &share]), Path::new("/usr"));
        let [bin, lib, share] = ["/srv/pg/bin", "/srv/pg/lib/postgresql", "/srv/pg/share"].map(PathBuf::from);
        assert_eq!(common_ancestor([&bin, &lib, &share]), Path::new("/srv/pg"));
    }

    #[test]
    fn only_directories_of_the_installation_count() {
        let ldd = "\tlinux-vdso.so.1 (0x1)\n\tlibc.so.6 => /lib/x/libc.so.6 (0x1)\n\tlibq.so => /proc/self/libq.so (0x1)\n\
                   \tlibgone.so => not found\n";
        let found = private_directories(ldd);
        assert_eq!(found.len(), 1);
        assert!(found.iter().all(|path| path.starts_with("/proc")));
    }
}
