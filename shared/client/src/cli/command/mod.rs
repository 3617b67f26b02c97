//! The commands, a file for each noun

pub mod agent;
pub mod artifact;
pub mod assignment;
pub mod audit;
pub mod definition;
pub mod deployment;
pub mod evidence;
pub mod gate;
pub mod help;
pub mod intent;
pub mod intervention;
pub mod operation;
pub mod ops;
pub mod pack;
pub mod plan;
pub mod projection;
pub mod promote;
pub mod release;
pub mod resource;
pub mod run;
pub mod scenario;
pub mod service;
pub mod version;
pub mod workflow;

use weir_domain::definition::address::{Address, Kind};

/// The address of a resource of `kind`: `staging` and `environment.staging` are the same environment
fn address_of(kind: Kind, text: &str) -> Result<Address, String> {
    let whole = text.parse::<Address>().ok().filter(|address| address.kind() == kind);
    whole.map_or_else(|| Address::new(kind, text).map_err(|error| error.to_string()), Ok)
}

fn environment(text: &str) -> Result<Address, String> {
    address_of(Kind::Environment, text)
}

fn target(text: &str) -> Result<Address, String> {
    address_of(Kind::Target, text)
}

fn component(text: &str) -> Result<Address, String> {
    address_of(Kind::Component, text)
}

fn service(text: &str) -> Result<Address, String> {
    address_of(Kind::Service, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_for_the_address_of_its_kind() {
        for text in ["staging", "environment.staging"] {
            assert_eq!(environment(text).unwrap().as_str(), "environment.staging");
        }
        assert_eq!(target("staging.stg-1").unwrap().as_str(), "target.staging.stg-1");
        for text in ["", "Staging", "a b", "environment.a.b.c.d.e"] {
            assert!(environment(text).is_err(), "{text}");
        }
    }
}
