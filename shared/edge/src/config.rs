//! What a function is told by its environment: read once, here, and nowhere else

use crate::{authn::dev_token::DevToken, wire::secret::Secret};
use weir_adapters::{Secrets, SecretsError};
use weir_domain::{
    engine::CHECK_IN,
    scope::{Name, NameError},
    time::Millis,
};

/// The stage on which dev tokens are accepted, and no other
pub const LOCAL: &str = "local";

/// What every function is told; the same names in the template, the function host and the tests
#[derive(Debug, Clone)]
pub struct Config {
    /// `local`, `dev`, `prod`, …
    pub stage: String,
    /// The workspace that this deployment is
    pub workspace: Name,
    /// The table's name
    pub table: String,
    /// The bucket's name
    pub bucket: String,
    /// The URL of the jobs queue
    pub jobs_queue: String,
    /// The URL of the notify queue
    pub notify_queue: String,
    /// The ARN of the operation machine
    pub operation_machine: String,
    /// The ARN of the segment machine
    pub segment_machine: String,
    /// The ARN of the key that signs evidence
    pub signing_key: String,
    /// Proves that a callback comes from Slack; without it every callback is refused
    pub slack_signing_secret: Option<Secret>,
    /// Where notices for people are posted, if anywhere
    pub slack_webhook_url: Option<Secret>,
    /// What jobs are told in confidence, by name
    pub job_secrets: Secrets,
    /// Where the API answers, as others see it; without it no job can be called back
    pub public_url: Option<String>,
    /// Tokens of the local stage
    pub dev_tokens: Vec<DevToken>,
    /// How long an active operation may rest before somebody looks whether it still moves
    pub check_in: Millis,
    /// Which log lines are written, as `tracing` filters
    pub log: String,
    /// The AWS region
    pub region: String,
    /// Another address than AWS's own, for every service
    pub endpoint_url: Option<String>,
    /// Which entry of its artefact this function is
    pub handler: String,
}

/// Why a function cannot start
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A variable is missing
    #[error("the environment lacks `{0}`")]
    Missing(&'static str),
    /// The workspace has no name
    #[error("`WEIR_WORKSPACE`: {0}")]
    Workspace(#[from] NameError),
    /// A number of seconds is none
    #[error("`WEIR_CHECK_IN_S` is not a number of seconds: `{0}`")]
    CheckIn(String),
    /// The dev tokens cannot be read
    #[error("`WEIR_DEV_TOKENS` cannot be read: {0}")]
    DevTokens(String),
    /// The jobs' secrets cannot be read
    #[error("`WEIR_JOB_SECRETS` cannot be read: {0}")]
    JobSecrets(#[from] SecretsError),
    /// Dev tokens where they must not be
    #[error("`WEIR_DEV_TOKENS` is set on stage `{0}`: dev tokens are for the stage `local` only")]
    DevTokensRefused(String),
}

impl Config {
    /// Reads the environment
    #[expect(clippy::disallowed_methods, reason = "this is where the environment comes in")]
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    /// Reads whatever `lookup` finds; an empty variable counts as missing
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let optional = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let required = |name: &'static str| optional(name).ok_or(ConfigError::Missing(name));
        let stage = required("WEIR_STAGE")?;
        let dev_tokens: Vec<DevToken> = match optional("WEIR_DEV_TOKENS") {
            None => Vec::new(),
            Some(_) if stage != LOCAL => return Err(ConfigError::DevTokensRefused(stage)),
            // Only the place of the mistake is repeated: the text may hold what is secret.
            Some(text) => serde_json::from_str(&text)
                .map_err(|e| ConfigError::DevTokens(format!("line {}, column {}", e.line(), e.column())))?,
        };
        Ok(Self {
            stage,
            workspace: required("WEIR_WORKSPACE")?.parse()?,
            table: required("WEIR_TABLE")?,
            bucket: required("WEIR_BUCKET")?,
            jobs_queue: required("WEIR_JOBS_QUEUE")?,
            notify_queue: required("WEIR_NOTIFY_QUEUE")?,
            operation_machine: required("WEIR_OPERATION_MACHINE")?,
            segment_machine: required("WEIR_SEGMENT_MACHINE")?,
            signing_key: required("WEIR_SIGNING_KEY")?,
            slack_signing_secret: optional("WEIR_SLACK_SIGNING_SECRET").map(Secret::new),
            slack_webhook_url: optional("WEIR_SLACK_WEBHOOK_URL").map(Secret::new),
            job_secrets: Secrets::from_json(&optional("WEIR_JOB_SECRETS").unwrap_or_default())?,
            public_url: optional("WEIR_PUBLIC_URL"),
            dev_tokens,
            check_in: check_in(optional("WEIR_CHECK_IN_S"))?,
            log: optional("WEIR_LOG").unwrap_or_else(|| "info".to_owned()),
            region: optional("AWS_REGION").unwrap_or_else(|| "us-east-1".to_owned()),
            endpoint_url: optional("AWS_ENDPOINT_URL"),
            handler: optional("_HANDLER").unwrap_or_default(),
        })
    }
}

fn check_in(text: Option<String>) -> Result<Millis, ConfigError> {
    let Some(text) = text else { return Ok(CHECK_IN) };
    let seconds = text.parse::<u32>().map_err(|_| ConfigError::CheckIn(text))?;
    Ok(Millis::from_secs(i64::from(seconds)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUIRED: [&str; 9] = [
        "WEIR_STAGE",
        "WEIR_WORKSPACE",
        "WEIR_TABLE",
        "WEIR_BUCKET",
        "WEIR_JOBS_QUEUE",
        "WEIR_NOTIFY_QUEUE",
        "WEIR_OPERATION_MACHINE",
        "WEIR_SEGMENT_MACHINE",
        "WEIR_SIGNING_KEY",
    ];

    fn read(stage: &str, tokens: Option<&str>, without: Option<&str>) -> Result<Config, ConfigError> {
        Config::from_lookup(|name| match name {
            _ if Some(name) == without => None,
            "WEIR_STAGE" => Some(stage.to_owned()),
            "WEIR_DEV_TOKENS" => tokens.map(str::to_owned),
            "WEIR_CHECK_IN_S" => Some("15".to_owned()),
            name => REQUIRED.contains(&name).then(|| "harbor".to_owned()),
        })
    }

    #[test]
    fn each_variable_that_is_missing_is_named() {
        for name in REQUIRED {
            assert_eq!(
                read("local", None, Some(name)).unwrap_err().to_string(),
                format!("the environment lacks `{name}`")
            );
        }
        let whole = read("prod", None, None).unwrap();
        assert_eq!((whole.workspace.as_str(), whole.check_in), ("harbor", Millis(15_000)));
    }

    #[test]
    fn dev_tokens_stop_a_function_that_is_not_local() {
        assert!(matches!(read("prod", Some("[]"), None), Err(ConfigError::DevTokensRefused(_))));
        assert!(read("local", Some("[]"), None).is_ok());
        let error = read("local", Some("[{\"secret\": 1}]"), None).unwrap_err().to_string();
        assert!(!error.contains("secret"), "{error}");
    }
}
