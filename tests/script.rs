//! Scripts in their state: environments, `require`, errors, budgets.

use super::support::lua::eval;

#[test]
fn a_chunk_returns_its_first_value_as_text() {
    assert_eq!(eval("return 1 + 1, 5"), "2");
    assert_eq!(eval("return true"), "true");
}
