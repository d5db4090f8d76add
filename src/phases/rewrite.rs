//! `rewrite`: the route is known; handlers change the request, choose the upstream, redirect, or
//! answer.

use super::step::run_all;
use super::{Exchange, Flow};
use crate::transaction::Phase;

pub(super) async fn run(exchange: &Exchange) -> Flow {
    run_all(exchange, Phase::Rewrite).await
}
