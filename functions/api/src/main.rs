//! `bootstrap` of the api: which endpoint, says `_HANDLER`

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    weir_edge::lambda::serve(weir_api::ENDPOINTS).await
}
