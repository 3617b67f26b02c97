//! Callbacks: jobs that end elsewhere

mod create;
#[cfg(test)]
mod tests;

pub use create::CallbackCreate;
