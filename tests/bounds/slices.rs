//! Others have their turn within one long value: work is counted, not timed.

use std::time::Duration;

use moongate::config::Engine;

use super::judge::{AMPLE, Sent, core_rule_sets, judge, profile, written};

const FORM: &str = "application/x-www-form-urlencoded";
const MEGABYTE: usize = 1 << 20;
/// Work of a slice.
const SLICE: u64 = 256 << 10;

/// One value of a megabyte, in which transformations and rules find much.
fn long() -> Vec<u8> {
    let piece = b"Select <b> %2e%2e/ \\u0041 &gt; union /*x*/ \\\\ 'a'='b' jquery(x) ";
    piece.iter().copied().cycle().take(MEGABYTE).collect()
}

#[test]
fn a_megabyte_in_one_value_is_judged_in_many_slices() {
    let field = [&b"a="[..], &long()].concat();
    let all = [Sent::post(FORM, field), Sent::get("/").answered(long())];
    for (name, plan) in core_rule_sets() {
        for sent in &all {
            let judged = judge(&profile(&plan, Engine::Detect, AMPLE), sent, Duration::ZERO);
            // What is looked at once, and what a transformation makes of it, is not divided.
            let most = SLICE + 4 * MEGABYTE as u64;
            assert!(judged.stretch < most, "{name}: {} at once", judged.stretch);
            let slices = judged.cost.work / most;
            assert!(judged.pauses as u64 > slices, "{name}: {} pauses", judged.pauses);
        }
    }
}

#[test]
fn what_is_found_of_a_value_in_slices_is_what_is_found_of_a_short_one() {
    let rules: String = (1..=20)
        .map(|id| {
            let steps = ["t:lowercase", "t:urlDecode", "t:removeNulls", "t:cmdLine"];
            let step = steps[id % steps.len()];
            format!(
                "SecRule ARGS \"@rx end{}$\" \"id:{id},phase:2,pass,log,t:none,{step}\"\n",
                id / 10
            )
        })
        .collect();
    let plan = written(&format!("SecRequestBodyNoFilesLimit 13107200\n{rules}"));
    let found = |length: usize| {
        let body = [b"a=".to_vec(), b"Ab%2f^c+".repeat(length / 8), b"END1end1".to_vec()].concat();
        judge(&profile(&plan, Engine::On, AMPLE), &Sent::post(FORM, body), Duration::ZERO)
    };
    let (short, long) = (found(64), found(MEGABYTE / 2));
    assert_eq!(long.matches, short.matches);
    assert!(short.pauses == 0 && long.pauses > 10, "{} pauses", long.pauses);
    assert_eq!(short.matches, (10..20).collect::<Vec<_>>());
}
