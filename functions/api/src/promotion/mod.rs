//! Promotions: releases on their way into environments

mod create;
mod get;
mod list;
#[cfg(test)]
mod tests;

pub use create::PromotionCreate;
pub use get::PromotionGet;
pub use list::PromotionList;
