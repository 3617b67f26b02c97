//! `bootstrap` of the reactors: which one, says `_HANDLER`

use lambda_runtime::{Diagnostic, Error, LambdaEvent, service_fn};
use serde_json::Value;
use weir_edge::{Cx, config::Config, log};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let config = Config::from_env()?;
    log::init(&config.log);
    let handler = &config.handler.clone();
    let cx = &Cx::on_aws(config);
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| async move {
        weir_reactors::run(cx, handler, event.payload, &event.context.request_id).await.map_err(|error| {
            tracing::error!(error = &error as &dyn std::error::Error, handler, "the reactor failed");
            Diagnostic { error_type: "Transient".to_owned(), error_message: error.to_string() }
        })
    }))
    .await
}
