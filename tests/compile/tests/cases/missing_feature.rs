//! A module behind a feature that is not asked for.

use cloakroom::bridge::Bridge;

fn main() {}
