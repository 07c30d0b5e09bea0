//! Changes that a store works out on the value that is there at the moment of the commit.

use super::Json;

/// A change that needs no value read before, and so never conflicts.
///
/// The store applies it to the value that it holds. `RedisStore` does so in its commit script, on the JSON
/// text itself: no value passes through a number or a table of Lua's, which would turn `[]` into `{}` and
/// 123456789012346 into 1.2e+14.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Adds to a whole number; a missing one counts as 0.
    Increment(i64),
    /// Keeps the greater of the two; a missing one counts as less.
    Max(i64),
    /// Puts an element behind the last of an array, and drops the first ones beyond `cap`.
    Push {
        /// The element.
        element: Json,
        /// How many elements stay at most.
        cap: u32,
    },
    /// Puts an element behind the last of an array unless it is there.
    Add(Json),
    /// Takes an element out of an array. Where there is no array, there is none afterwards.
    Discard(Json),
}

/// The value is not what the operation needs: no whole number within ±(2^53 − 1), or no array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotApplicable;

/// The greatest whole number that a double, and so every JSON reader, holds exactly with its neighbours.
const MOST: i64 = (1 << 53) - 1;

impl Operation {
    /// What becomes of `value`. Elements are compared as JSON text.
    ///
    /// # Errors
    ///
    /// [`NotApplicable`]; the operation must not be carried out then.
    pub fn apply(&self, value: Option<&Json>) -> Result<Option<Json>, NotApplicable> {
        Ok(Some(match self {
            Self::Increment(by) => {
                let sum = value.map_or(Ok(0), whole)?.checked_add(in_range(*by)?).ok_or(NotApplicable)?;
                Json::from_text(in_range(sum)?.to_string())
            }
            Self::Max(other) => {
                let other = in_range(*other)?;
                let most = value.map_or(Ok(other), whole)?.max(other);
                Json::from_text(most.to_string())
            }
            Self::Push { element, cap } => {
                let mut all = value.map_or(Ok(Vec::new()), |value| elements(value.as_str()))?;
                all.push(element.as_str());
                let surplus = all.len().saturating_sub(*cap as usize);
                array(all.get(surplus..).unwrap_or_default())
            }
            Self::Add(element) => {
                let mut all = value.map_or(Ok(Vec::new()), |value| elements(value.as_str()))?;
                if !all.contains(&element.as_str()) {
                    all.push(element.as_str());
                }
                array(&all)
            }
            Self::Discard(element) => {
                let Some(value) = value else { return Ok(None) };
                let mut all = elements(value.as_str())?;
                all.retain(|other| *other != element.as_str());
                array(&all)
            }
        }))
    }

    /// What several of them, one after the other, make of `value`.
    ///
    /// # Errors
    ///
    /// As [`apply`](Self::apply).
    pub fn apply_all<'a>(
        operations: impl IntoIterator<Item = &'a Self>,
        value: Option<&Json>,
    ) -> Result<Option<Json>, NotApplicable> {
        operations.into_iter().try_fold(value.cloned(), |value, operation| operation.apply(value.as_ref()))
    }
}

fn whole(value: &Json) -> Result<i64, NotApplicable> {
    let digits = value.as_str().strip_prefix('-').unwrap_or(value.as_str());
    if digits.is_empty() || digits.len() > 16 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(NotApplicable);
    }
    in_range(value.as_str().parse().map_err(|_| NotApplicable)?)
}

fn in_range(number: i64) -> Result<i64, NotApplicable> {
    if (-MOST..=MOST).contains(&number) { Ok(number) } else { Err(NotApplicable) }
}

fn array(elements: &[&str]) -> Json {
    Json::from_text(format!("[{}]", elements.join(",")))
}

/// The elements of a JSON array as they are written, without the white space around them.
fn elements(text: &str) -> Result<Vec<&str>, NotApplicable> {
    let inner = text.trim_matches(BLANK).strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let inner = inner.ok_or(NotApplicable)?;
    if inner.trim_matches(BLANK).is_empty() {
        return Ok(Vec::new());
    }
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    let split = inner.split(|c: char| {
        match c {
            _ if escaped => escaped = false,
            '\\' if in_string => escaped = true,
            '"' => in_string = !in_string,
            '[' | '{' if !in_string => depth += 1,
            ']' | '}' if !in_string => depth = depth.saturating_sub(1),
            ',' => return !in_string && depth == 0,
            _ => {}
        }
        false
    });
    Ok(split.map(|element| element.trim_matches(BLANK)).collect())
}

/// White space as JSON has it.
const BLANK: [char; 4] = [' ', '\t', '\n', '\r'];

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Json {
        Json::from_text(text)
    }

    fn applied(operation: &Operation, value: Option<&str>) -> Option<String> {
        let value = value.map(json);
        operation.apply(value.as_ref()).unwrap().map(|value| value.as_str().to_owned())
    }

    #[test]
    fn numbers_stay_whole_and_exact() {
        let by = Operation::Increment;
        assert_eq!(applied(&by(1), None).unwrap(), "1");
        assert_eq!(applied(&by(-3), Some("1")).unwrap(), "-2");
        assert_eq!(applied(&by(1), Some("9007199254740990")).unwrap(), "9007199254740991");
        assert_eq!(applied(&Operation::Max(5), Some("-7")).unwrap(), "5");
        assert_eq!(applied(&Operation::Max(5), Some("7")).unwrap(), "7");
        let most = Some(json("9007199254740991"));
        assert_eq!(by(1).apply(most.as_ref()), Err(NotApplicable));
        assert_eq!(by(i64::MAX).apply(None), Err(NotApplicable));
        for other in ["1.0", "1e3", "\"1\"", "null", "[]", "-", "", "+1", "99999999999999999"] {
            assert_eq!(by(1).apply(Some(&json(other))), Err(NotApplicable), "{other}");
        }
    }

    #[test]
    fn elements_keep_their_text() {
        let push = |element: &str, cap| Operation::Push { element: json(element), cap };
        assert_eq!(applied(&push("{\"a\":[1,2]}", 9), None).unwrap(), "[{\"a\":[1,2]}]");
        let odd = r#" [ "a,]\"[" , {"b":"},"} ,123456789012346, [] ] "#;
        assert_eq!(
            applied(&push("1.50", 4), Some(odd)).unwrap(),
            r#"[{"b":"},"},123456789012346,[],1.50]"#,
            "the first is dropped, the others are as they were"
        );
        assert_eq!(applied(&push("1", 0), Some("[1]")).unwrap(), "[]");
        assert_eq!(push("1", 2).apply(Some(&json("{}"))), Err(NotApplicable));
    }

    #[test]
    fn a_set_holds_an_element_once() {
        let (add, discard) = (|e: &str| Operation::Add(json(e)), |e: &str| Operation::Discard(json(e)));
        assert_eq!(applied(&add("\"x\""), Some("[\"x\",1]")).unwrap(), "[\"x\",1]");
        assert_eq!(applied(&add("2"), Some("[\"x\",1]")).unwrap(), "[\"x\",1,2]");
        assert_eq!(applied(&discard("1"), Some("[\"x\", 1,1]")).unwrap(), "[\"x\"]");
        assert_eq!(applied(&discard("1"), None), None, "nothing to take out of, nothing to make");
    }
}
