//! One conditional `UpdateItem`, put together clause by clause

use super::attribute::{Attribute, EncodeError};
use crate::schema;
use aws_sdk_dynamodb::types::AttributeValue;
use std::collections::HashMap;

/// An update expression and its condition, with every name and value behind a placeholder
///
/// Names are always placeholders: DynamoDB reserves 573 words. The condition begins with the item's existence,
/// since an `UpdateItem` on a missing item would otherwise create a ghost.
pub(super) struct Expression {
    set: Vec<String>,
    remove: Vec<String>,
    add: Vec<String>,
    delete: Vec<String>,
    conditions: Vec<String>,
    names: HashMap<String, String>,
    values: HashMap<String, AttributeValue>,
    failed: Option<EncodeError>,
}

/// An [`Expression`] as a request takes it
pub(super) struct Built {
    /// `UpdateExpression`
    pub update: String,
    /// `ConditionExpression`
    pub condition: String,
    /// `ExpressionAttributeNames`
    pub names: HashMap<String, String>,
    /// `ExpressionAttributeValues`; never empty in an update of this crate's, but optional in the API
    pub values: Option<HashMap<String, AttributeValue>>,
}

impl Expression {
    /// Nothing yet, on an item that exists
    pub(super) fn new() -> Self {
        let mut new = Self {
            set: Vec::new(),
            remove: Vec::new(),
            add: Vec::new(),
            delete: Vec::new(),
            conditions: Vec::new(),
            names: HashMap::new(),
            values: HashMap::new(),
            failed: None,
        };
        let pk = new.name(schema::PK);
        new.conditions.push(format!("attribute_exists({pk})"));
        new
    }

    /// The attribute becomes `value`; where that is no attribute at all, it goes
    pub(super) fn set(mut self, name: &str, value: &impl Attribute) -> Self {
        let name = self.name(name);
        match self.value(value) {
            Some(value) => self.set.push(format!("{name} = {value}")),
            None => self.remove.push(name),
        }
        self
    }

    /// One entry of a map that is there becomes `value`
    pub(super) fn set_entry(mut self, map: &str, entry: u32, value: &impl Attribute) -> Self {
        let map = self.name(map);
        let placeholder = format!("#entry{entry}");
        self.names.insert(placeholder.clone(), entry.to_string());
        if let Some(value) = self.value(value) {
            self.set.push(format!("{map}.{placeholder} = {value}"));
        }
        self
    }

    /// The attribute goes
    pub(super) fn remove(mut self, name: &str) -> Self {
        let name = self.name(name);
        self.remove.push(name);
        self
    }

    /// The number grows by one
    pub(super) fn increment(mut self, name: &str) -> Self {
        let name = self.name(name);
        if let Some(one) = self.value(&1_u32) {
            self.set.push(format!("{name} = {name} + {one}"));
        }
        self
    }

    /// The list gets `values` (a list itself) at its end, and begins with them where there is none
    pub(super) fn append(mut self, name: &str, values: &impl Attribute) -> Self {
        let name = self.name(name);
        let none = self.placeholder(AttributeValue::L(Vec::new()));
        if let Some(values) = self.value(values) {
            self.set.push(format!("{name} = list_append(if_not_exists({name}, {none}), {values})"));
        }
        self
    }

    /// The set gets the members of `values`
    pub(super) fn include(mut self, name: &str, values: &impl Attribute) -> Self {
        let name = self.name(name);
        if let Some(values) = self.value(values) {
            self.add.push(format!("{name} {values}"));
        }
        self
    }

    /// The set loses the members of `values`
    pub(super) fn exclude(mut self, name: &str, values: &impl Attribute) -> Self {
        let name = self.name(name);
        if let Some(values) = self.value(values) {
            self.delete.push(format!("{name} {values}"));
        }
        self
    }

    /// If the attribute is `value`
    pub(super) fn when(self, name: &str, value: &impl Attribute) -> Self {
        self.when_one_of(name, std::slice::from_ref(value))
    }

    /// If the attribute is `value`, or is not there where that is no attribute at all
    pub(super) fn when_same(mut self, name: &str, value: &impl Attribute) -> Self {
        let name = self.name(name);
        let condition = match self.value(value) {
            Some(value) => format!("{name} = {value}"),
            None => format!("attribute_not_exists({name})"),
        };
        self.conditions.push(condition);
        self
    }

    /// If the attribute is one of `values`
    pub(super) fn when_one_of(mut self, name: &str, values: &[impl Attribute]) -> Self {
        let condition = self.one_of(name, values);
        self.conditions.push(condition);
        self
    }

    /// If the attribute is none of `values`
    pub(super) fn when_none_of(mut self, name: &str, values: &[impl Attribute]) -> Self {
        let condition = self.one_of(name, values);
        self.conditions.push(format!("NOT ({condition})"));
        self
    }

    /// If the attribute is there
    pub(super) fn when_present(mut self, name: &str) -> Self {
        let name = self.name(name);
        self.conditions.push(format!("attribute_exists({name})"));
        self
    }

    /// If the attribute is not there
    pub(super) fn when_absent(mut self, name: &str) -> Self {
        let name = self.name(name);
        self.conditions.push(format!("attribute_not_exists({name})"));
        self
    }

    /// If the attribute is not there, or at most `value`
    pub(super) fn when_at_most(mut self, name: &str, value: &impl Attribute) -> Self {
        let name = self.name(name);
        if let Some(value) = self.value(value) {
            self.conditions.push(format!("(attribute_not_exists({name}) OR {name} <= {value})"));
        }
        self
    }

    /// As a request takes it
    pub(super) fn build(self) -> Result<Built, EncodeError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let clauses =
            [("SET", &self.set), ("REMOVE", &self.remove), ("ADD", &self.add), ("DELETE", &self.delete)];
        let clauses = clauses.into_iter().filter(|(_, parts)| !parts.is_empty());
        let update: Vec<_> = clauses.map(|(verb, parts)| format!("{verb} {}", parts.join(", "))).collect();
        Ok(Built {
            update: update.join(" "),
            condition: self.conditions.join(" AND "),
            names: self.names,
            values: (!self.values.is_empty()).then_some(self.values),
        })
    }

    fn one_of(&mut self, name: &str, values: &[impl Attribute]) -> String {
        let name = self.name(name);
        let values: Vec<_> = values.iter().filter_map(|value| self.value(value)).collect();
        format!("{name} IN ({})", values.join(", "))
    }

    fn name(&mut self, name: &str) -> String {
        let placeholder = format!("#{name}");
        self.names.insert(placeholder.clone(), name.to_owned());
        placeholder
    }

    fn value(&mut self, value: &impl Attribute) -> Option<String> {
        match value.encode() {
            Ok(value) => value.map(|value| self.placeholder(value)),
            Err(error) => {
                self.failed = Some(error);
                None
            }
        }
    }

    fn placeholder(&mut self, value: AttributeValue) -> String {
        let placeholder = format!(":v{}", self.values.len());
        self.values.insert(placeholder.clone(), value);
        placeholder
    }
}
