//! The one DynamoDB table: keys, items, writes as data.
