//! The services index: what of each service was brought where last

mod get;
mod list;
#[cfg(test)]
mod tests;
mod view;

pub use get::ServiceGet;
pub use list::ServiceList;
