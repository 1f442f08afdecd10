//! Where private installations, clusters and test results are kept.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::account::Account;

/// The most bytes a Unix socket's path may have on Linux, its final zero not counted.
const SOCKET_PATH_LIMIT: usize = 107;

/// A directory that both we and the account can reach.
#[derive(Debug, Clone)]
pub struct Place {
    /// Its absolute path.
    pub root: PathBuf,
}

impl Place {
    /// Makes the directory `wanted`, or, where the account cannot reach that, one in `/var/tmp` that only it can open.
    ///
    /// # Errors
    /// When neither can be made, or somebody else has made the second.
    pub fn choose(wanted: &Path, account: &Account) -> Result<Self> {
        fs::create_dir_all(wanted).with_context(|| format!("cannot make {}", wanted.display()))?;
        if account.reaches(wanted)? {
            return Ok(Self { root: wanted.to_owned() });
        }
        let root = fallback(wanted, account);
        make_private(&root, account)?;
        println!("{} is closed to the account that runs PostgreSQL: using {}", wanted.display(), root.display());
        Ok(Self { root })
    }

    /// A directory below this one, made if it is missing.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn directory(&self, name: &str) -> Result<PathBuf> {
        let path = self.root.join(name);
        fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(path)
    }
}

/// An empty directory of the account's own at `path`; what was there is removed.
///
/// # Errors
/// When the file system refuses.
pub fn fresh_directory(path: &Path, account: &Account) -> Result<()> {
    remove(path)?;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("cannot make {}", path.display()))?;
    account.own(path)
}

/// Removes the directory `path`, if it is there.
///
/// # Errors
/// When the file system refuses.
pub fn remove(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// A directory for sockets: `wanted`, or a short path where a socket's path would be too long.
///
/// # Errors
/// When it cannot be made.
pub fn socket_directory(wanted: PathBuf, account: &Account) -> Result<PathBuf> {
    if wanted.as_os_str().len() + "/.s.PGSQL.65535".len() <= SOCKET_PATH_LIMIT {
        fresh_directory(&wanted, account)?;
        return Ok(wanted);
    }
    let short = PathBuf::from(format!("/tmp/fdw_guard-{}-{:08x}", account.uid, hash(&wanted)));
    make_private(&short, account)?;
    Ok(short)
}

/// Makes `path` for the account alone, or checks that what is there was made so.
fn make_private(path: &Path, account: &Account) -> Result<()> {
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => account.own(path),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => check_private(path, account),
        Err(error) => Err(error).with_context(|| format!("cannot make {}", path.display())),
    }
}

fn check_private(path: &Path, account: &Account) -> Result<()> {
    let found = fs::symlink_metadata(path)?;
    ensure!(
        found.is_dir() && found.uid() == account.uid && found.mode() & 0o077 == 0,
        "{} exists and is not a private directory of user {}: remove it",
        path.display(),
        account.uid
    );
    Ok(())
}

fn fallback(wanted: &Path, account: &Account) -> PathBuf {
    PathBuf::from(format!("/var/tmp/fdw_guard-{}-{:08x}", account.uid, hash(wanted)))
}

/// The same for the same path in every run: a later command must find what an earlier one made.
fn hash(path: &Path) -> u32 {
    path.as_os_str()
        .as_encoded_bytes()
        .iter()
        .fold(2_166_136_261, |hash: u32, byte| (hash ^ u32::from(*byte)).wrapping_mul(16_777_619))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn us() -> Account {
        let mut account = Account::choose().unwrap();
        account.uid = fs::metadata("/proc/self").unwrap().uid();
        account
    }

    #[test]
    fn two_paths_get_two_fallbacks() {
        let account = us();
        assert_ne!(fallback(Path::new("/a"), &account), fallback(Path::new("/b"), &account));
        assert_eq!(fallback(Path::new("/a"), &account), fallback(Path::new("/a"), &account));
    }

    #[test]
    fn a_directory_that_others_can_open_is_not_private() {
        let path = std::env::temp_dir().join(format!("fdw_guard_place_{}", std::process::id()));
        fs::DirBuilder::new().mode(0o755).create(&path).unwrap();
        let outcome = check_private(&path, &us());
        fs::remove_dir(&path).unwrap();
        assert!(outcome.unwrap_err().to_string().contains("remove it"));
    }

    #[test]
    fn a_long_socket_path_is_replaced() {
        let account = Account::choose().unwrap();
        let long = std::env::temp_dir().join("x".repeat(120));
        let made = socket_directory(long.clone(), &account).unwrap();
        fs::remove_dir_all(&made).unwrap();
        assert_ne!(made, long);
        assert!(made.as_os_str().len() < 60);
    }
}
