//! Promotions: releases on their way into environments

mod create;
mod list;
#[cfg(test)]
mod tests;

pub use create::PromotionCreate;
pub use list::PromotionList;
