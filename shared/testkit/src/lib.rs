//! What tests share: golden files, fakes put together, the whole API in one process

pub mod api;
pub mod clock;
pub mod cloud;
pub mod golden;
pub mod life;

pub use api::TestApi;
pub use life::Life;
