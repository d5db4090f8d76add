//! `access`: handlers admit or refuse. The rule engine's phases 1 and 2 belong here, after them.

use super::step::run_all;
use super::{Exchange, Flow};
use crate::transaction::Phase;

pub(super) async fn run(exchange: &Exchange) -> Flow {
    run_all(exchange, Phase::Access).await
}
