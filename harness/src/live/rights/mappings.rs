//! CREATE, ALTER and DROP USER MAPPING.

use super::{RIGHT, Right};

const NOT_OWNER: &str = "ERROR 42501 must be owner of foreign server far";
const NO_USAGE: &str = "ERROR 42501 permission denied for foreign server far";
const USAGE: &str = "GRANT USAGE ON FOREIGN SERVER far TO rights_anyone";
const NO_MORE: &str = "REVOKE USAGE ON FOREIGN SERVER far FROM rights_anyone";
const OWNERSHIP: &str = "ALTER SERVER far OWNER TO rights_anyone";
const OF_OTHERS: &str = "ALTER SERVER far OWNER TO rights_other";

pub const RIGHTS: &[Right] = &[
    Right {
        states: "the owner of a foreign server can create user mappings for that server for any user",
        given: "GRANT USAGE ON FOREIGN SERVER far TO rights_anyone",
        grant: OWNERSHIP,
        revoke: OF_OTHERS,
        statement: "CREATE USER MAPPING FOR rights_between SERVER far",
        refused: NOT_OWNER,
        ..RIGHT
    },
    Right {
        states: "and for PUBLIC",
        given: "GRANT USAGE ON FOREIGN SERVER far TO rights_anyone",
        grant: OWNERSHIP,
        revoke: OF_OTHERS,
        statement: "CREATE USER MAPPING FOR PUBLIC SERVER far",
        refused: NOT_OWNER,
        ..RIGHT
    },
    Right {
        states: "a user can create a user mapping for their own name if USAGE has been granted",
        grant: USAGE,
        revoke: NO_MORE,
        statement: "CREATE USER MAPPING FOR rights_anyone SERVER far OPTIONS (user 'a', password 'b')",
        refused: NO_USAGE,
        ..RIGHT
    },
    Right {
        states: "the owner of a foreign server can alter user mappings for that server for any user",
        given: "CREATE USER MAPPING FOR rights_between SERVER far; GRANT USAGE ON FOREIGN SERVER far TO rights_anyone",
        grant: OWNERSHIP,
        revoke: OF_OTHERS,
        statement: "ALTER USER MAPPING FOR rights_between SERVER far OPTIONS (user 'a')",
        refused: NOT_OWNER,
        ..RIGHT
    },
    Right {
        states: "and PUBLIC's",
        given: "CREATE USER MAPPING FOR PUBLIC SERVER far; GRANT USAGE ON FOREIGN SERVER far TO rights_anyone",
        grant: OWNERSHIP,
        revoke: OF_OTHERS,
        statement: "ALTER USER MAPPING FOR PUBLIC SERVER far OPTIONS (user 'a')",
        refused: NOT_OWNER,
        ..RIGHT
    },
    Right {
        states: "membership of the server's owner is enough",
        given: "CREATE USER MAPPING FOR rights_between SERVER far; ALTER SERVER far OWNER TO rights_other",
        grant: "GRANT rights_other TO rights_anyone",
        revoke: "REVOKE rights_other FROM rights_anyone",
        statement: "ALTER USER MAPPING FOR rights_between SERVER far OPTIONS (user 'a')",
        refused: NOT_OWNER,
        ..RIGHT
    },
    Right {
        states: "a user can alter a user mapping for their own name if USAGE has been granted",
        given: "CREATE USER MAPPING FOR rights_anyone SERVER far",
        grant: USAGE,
        revoke: NO_MORE,
        statement: "ALTER USER MAPPING FOR rights_anyone SERVER far OPTIONS (user 'a', password 'b')",
        refused: NO_USAGE,
        ..RIGHT
    },
    Right {
        states: "by any spelling",
        given: "CREATE USER MAPPING FOR rights_anyone SERVER far",
        grant: USAGE,
        revoke: NO_MORE,
        statement: "ALTER USER MAPPING FOR CURRENT_USER SERVER far OPTIONS (user 'a')",
        refused: NO_USAGE,
        ..RIGHT
    },
    Right {
        states: "USAGE that was granted to PUBLIC counts",
        given: "CREATE USER MAPPING FOR rights_anyone SERVER far",
        grant: "GRANT USAGE ON FOREIGN SERVER far TO PUBLIC",
        revoke: "REVOKE USAGE ON FOREIGN SERVER far FROM PUBLIC",
        statement: "ALTER USER MAPPING FOR USER SERVER far OPTIONS (user 'a')",
        refused: NO_USAGE,
        ..RIGHT
    },
    Right {
        states: "the mapping of a role that one is a member of is not one's own",
        given: "CREATE USER MAPPING FOR rights_other SERVER far; GRANT rights_other TO rights_anyone; \
         GRANT USAGE ON FOREIGN SERVER far TO rights_anyone, rights_other",
        statement: "ALTER USER MAPPING FOR rights_other SERVER far OPTIONS (user 'a')",
        refused: NOT_OWNER,
        ..RIGHT
    },
    Right {
        states: "the owner of a foreign server can drop user mappings for that server for any user",
        given: "CREATE USER MAPPING FOR rights_between SERVER far; GRANT USAGE ON FOREIGN SERVER far TO rights_anyone",
        grant: OWNERSHIP,
        revoke: OF_OTHERS,
        statement: "DROP USER MAPPING FOR rights_between SERVER far",
        refused: NOT_OWNER,
        ..RIGHT
    },
    Right {
        states: "and PUBLIC's mapping",
        given: "CREATE USER MAPPING FOR PUBLIC SERVER far; GRANT USAGE ON FOREIGN SERVER far TO rights_anyone",
        grant: OWNERSHIP,
        revoke: OF_OTHERS,
        statement: "DROP USER MAPPING FOR PUBLIC SERVER far",
        refused: NOT_OWNER,
        ..RIGHT
    },
    Right {
        states: "a user can drop a user mapping for their own name if USAGE has been granted",
        given: "CREATE USER MAPPING FOR rights_anyone SERVER far",
        grant: USAGE,
        revoke: NO_MORE,
        statement: "DROP USER MAPPING FOR rights_anyone SERVER far",
        refused: NO_USAGE,
        ..RIGHT
    },
];
