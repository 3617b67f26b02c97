//! The S3 bucket: state, plans, artifacts, evidence, audit; and the key that signs.
