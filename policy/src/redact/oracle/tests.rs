//! The redactor held against what arbitrary bytes choose.

use proptest::collection::vec;
use proptest::prelude::*;

use super::try_bytes;

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn the_redactor_does_what_the_oracle_says(bytes in vec(any::<u8>(), 0..400)) {
        try_bytes(&bytes).map_err(TestCaseError::fail)?;
    }
}
