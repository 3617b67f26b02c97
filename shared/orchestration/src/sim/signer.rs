//! The key that signs evidence, behind calls that take time and fail

use super::{
    fault::Site,
    world::{Broken, World},
};
use async_trait::async_trait;
use std::sync::Arc;
use weir_ledger::{LocalSigner, SignError, Signer};

/// The key as functions reach it
pub(super) struct SimSigner {
    world: Arc<World>,
    key: Arc<LocalSigner>,
}

impl From<Broken> for SignError {
    fn from(broken: Broken) -> Self {
        Self::Unavailable(Box::new(broken))
    }
}

impl SimSigner {
    pub const fn new(world: Arc<World>, key: Arc<LocalSigner>) -> Self {
        Self { world, key }
    }
}

#[async_trait]
impl Signer for SimSigner {
    async fn sign(&self, bytes: &[u8]) -> Result<Vec<u8>, SignError> {
        // Signing changes nothing: what happens to it happens before it.
        self.world.enter("sign", 0, Site::Sign).await?;
        self.key.sign(bytes).await
    }

    fn key_ref(&self) -> &str {
        self.key.key_ref()
    }

    async fn public_key_pem(&self) -> Result<String, SignError> {
        self.world.enter("public_key", 0, Site::Sign).await?;
        self.key.public_key_pem().await
    }
}
