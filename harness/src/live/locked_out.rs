//! The ways back in for whoever locked himself out.

use anyhow::{Result, ensure};

use super::{LiveTest, same};
use crate::cluster::Cluster;
use crate::fields::expect_error;
use crate::settings::Settings;

pub const TESTS: &[LiveTest] =
    &[LiveTest { name: "locked_out::single_user_mode_stands_aside", run: single_user_mode_stands_aside }];

const FORBIDDEN: &str = "ALTER SERVER shop OPTIONS (SET host 'elsewhere')";

fn single_user_mode_stands_aside(cluster: &Cluster) -> Result<()> {
    let own = cluster.another("single-user", &Settings::preloaded())?;
    let database = own.guarded_database("locked_out")?;
    database.execute(
        "CREATE FOREIGN DATA WRAPPER plain; CREATE SERVER shop FOREIGN DATA WRAPPER plain OPTIONS (host 'here'); \
         INSERT INTO fdw_guard.rule (name, object_type, options) \
         VALUES ('frozen_host', 'server', '{\"properties\": {\"host\": {\"readOnly\": true}}}')",
    )?;
    expect_error(&mut database.connect()?, FORBIDDEN)?;
    own.stop("fast")?;
    let printed = own.single_user(database.name(), &format!("{FORBIDDEN}\n"))?;
    ensure!(!printed.contains("ERROR:"), "{printed}");
    own.launch()?;
    let options: Vec<String> =
        database.connect()?.query_one("SELECT srvoptions FROM pg_foreign_server WHERE srvname = 'shop'", &[])?.get(0);
    same("options", options, vec!["host=elsewhere".to_owned()])
}
