//! Who seals.

use std::fmt;

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};

use crate::error::{Error, ErrorKind};

/// The writer's key: Ed25519, with a name by which verifiers find its public half. Keep it where the
/// database's administrators can't read it; its `Debug` hides it and it is wiped when dropped.
#[derive(Clone)]
pub struct SealKey {
    id: String,
    key: SigningKey,
}

impl SealKey {
    /// From 32 secret random bytes.
    pub fn new(id: impl Into<String>, secret: [u8; 32]) -> Self {
        Self { id: id.into(), key: SigningKey::from_bytes(&secret) }
    }

    /// What verifiers need.
    pub fn public(&self) -> SealPublicKey {
        SealPublicKey { id: self.id.clone(), key: self.key.verifying_key() }
    }

    pub(in crate::audit) fn id(&self) -> &str {
        &self.id
    }

    pub(in crate::audit) fn sign(&self, hash: &[u8]) -> Vec<u8> {
        self.key.sign(hash).to_bytes().to_vec()
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealKey({:?}, …)", self.id)
    }
}

/// The public half of a [`SealKey`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealPublicKey {
    id: String,
    key: VerifyingKey,
}

impl SealPublicKey {
    /// From the 32 bytes that [`to_bytes`](Self::to_bytes) gave.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] where these bytes are no such key.
    pub fn new(id: impl Into<String>, bytes: [u8; 32]) -> Result<Self, Error> {
        let key = VerifyingKey::from_bytes(&bytes)
            .map_err(|_| Error::msg(ErrorKind::Config, "these bytes are no Ed25519 public key"))?;
        Ok(Self { id: id.into(), key })
    }

    /// The key itself.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.key.to_bytes()
    }

    /// Its name.
    pub fn id(&self) -> &str {
        &self.id
    }

    pub(in crate::audit) fn has_signed(&self, hash: &[u8], signature: &[u8]) -> bool {
        // Strict: of the many spellings of a signature only one counts.
        Signature::from_slice(signature)
            .is_ok_and(|signature| self.key.verify_strict(hash, &signature).is_ok())
    }
}
