//! What judging an exchange may cost: budgets and what becomes of those that exceed them, work that
//! grows no faster than what was sent, others that are served meanwhile.

#[path = "bounds/budget.rs"]
mod budget;
#[path = "bounds/growth.rs"]
mod growth;
#[path = "bounds/judge.rs"]
mod judge;
#[path = "bounds/slices.rs"]
mod slices;
#[path = "bounds/wire.rs"]
mod wire;
